// Package floors checks the build of this library's source: which file names
// which, that none names a file above it or in a ring, what the core keeps out
// of, and how long files and functions are. Only tests use it.
//
// A floor is a number per file. The table of them is in floors_test.go in the
// root of the module.
package floors
