package typeset

import (
	"regexp"
	"strings"
)

// MapStrings returns text(x) for each x of list.
func MapStrings[T any](list []T, text func(T) string) []string {
	var s []string
	for _, x := range list {
		s = append(s, text(x))
	}
	return s
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=,@%+-]+$`)

// ShellWord returns a word in single quotes if a shell would otherwise change it.
func ShellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
