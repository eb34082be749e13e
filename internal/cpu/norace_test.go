//go:build !race

package cpu

const raced = false // the race detector is off
