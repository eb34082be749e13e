package unpickle

import "fmt"

// An Opaque stands for a Python class or function that is not allowed, and for every value made of
// it, of which nothing but the name is kept. Nothing is called. A file that has such a value where
// nobody looks can be read; where it is needed, it is of the wrong type.
type Opaque struct{ Module, Name string }

// String returns the name of the class or function.
func (o *Opaque) String() string { return fmt.Sprintf("%.60s.%.60s", o.Module, o.Name) }

// Call implements gopickle's types.Callable. It returns o.
func (o *Opaque) Call(...any) (any, error) { return o, nil }

// PyNew implements gopickle's types.PyNewable. It returns o. More than 255 arguments are an error:
// for NEWOBJ_EX gopickle copies them, and a small file can ask for that often.
func (o *Opaque) PyNew(args ...any) (any, error) {
	if len(args) > 255 {
		return nil, fmt.Errorf("%s: expected at most 255 arguments, found %d", o, len(args))
	}
	return o, nil
}

// PySetState implements gopickle's types.PyStateSettable.
func (o *Opaque) PySetState(any) error { return nil }

// Set implements gopickle's types.DictSetter.
func (o *Opaque) Set(any, any) {}

// Append implements gopickle's types.ListAppender.
func (o *Opaque) Append(any) {}

// Add implements gopickle's types.SetAdder.
func (o *Opaque) Add(any) {}
