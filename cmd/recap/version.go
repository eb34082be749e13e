package main

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/version"
)

type versionCommand struct{}

func (versionCommand) Help() string { return "Example:\n  recap version" }

func (versionCommand) Run(t *terminal) error {
	_, err := fmt.Fprintln(t.out, "recap", version.Text())
	return err
}
