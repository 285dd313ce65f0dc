//go:build soak

package deliver

const soak = true
