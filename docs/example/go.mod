module example.com/xor

go 1.26.0

require github.com/seed-6655bf3b/recap v0.0.0

require (
	github.com/nlpodyssey/gopickle v0.3.0 // indirect
	github.com/nlpodyssey/safetensors v0.0.0-20250209183917-bfb01cc25f7c // indirect
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.28.0 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
)

// The path of the checkout; README.md says how to change it in a copy.
replace github.com/seed-6655bf3b/recap => ../..
