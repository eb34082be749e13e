//go:build race

package experiment

const raced = true // the race detector is on
