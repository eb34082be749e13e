//go:build !race

package train

const raced = false // the race detector is off
