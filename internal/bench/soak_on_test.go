//go:build soak

package main

// soak makes the long versions of tests run.
const soak = true
