//go:build !race

package flate_test

const raceEnabled = false
