//go:build race

package train

const raced = true // the race detector is on
