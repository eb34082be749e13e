package typeset

// MapStrings returns text(x) for each x of list.
func MapStrings[T any](list []T, text func(T) string) []string {
	var s []string
	for _, x := range list {
		s = append(s, text(x))
	}
	return s
}
