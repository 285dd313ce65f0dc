//go:build !soak

package store_test

// soak makes the long versions of tests run.
const soak = false
