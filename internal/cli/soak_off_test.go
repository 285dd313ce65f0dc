//go:build !soak

package cli

// soak makes the long versions of tests run.
const soak = false
