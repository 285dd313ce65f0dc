//go:build soak

package playbook

const soak = true
