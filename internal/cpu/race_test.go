//go:build race

package cpu

const raced = true // the race detector is on
