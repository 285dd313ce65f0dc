//go:build !soak

package deliver

const soak = false // bounded shares of the long suites
