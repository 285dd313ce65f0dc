//go:build soak

package playbook

// Soak makes the long versions of tests run, also of those outside the package.
const Soak = true
