// Lets main.go declare functions that others define.
