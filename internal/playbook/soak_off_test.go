//go:build !soak

package playbook

const soak = false // a share of each long suite
