//go:build !race

package experiment

const raced = false // the race detector is off
