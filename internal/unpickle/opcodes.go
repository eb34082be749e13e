package unpickle

// An argument is the kind of data that follows an opcode in the file.
type argument byte

const (
	unknown argument = iota // not an opcode, or one that is not supported
	nothing
	fixed1 // bytes
	fixed2
	fixed4
	fixed8
	line     // up to a newline
	twoLines // module and name
	unicode  // a line in Python's raw-unicode-escape
	quoted   // a line in Python's quotes
	counted1 // a length in 1, 4 or 8 bytes, little-endian, and as many bytes
	counted4
	counted8
	frameSize // 8 bytes: the size of the frame that follows
)

// An opcode describes an opcode of the pickle format, protocols 0 to 5. cost is the memory in
// bytes that executing it may need, apart from its argument. Source: the list in Python's
// Lib/pickletools.py.
type opcode struct {
	name string
	argument
	cost int64
}

const (
	small = 48  // a value and its place on the stack
	memo  = 112 // an entry of a map
)

// nextBuffer and readonlyBuffer are the opcodes of protocol 5 for data outside the file.
const nextBuffer, readonlyBuffer = 0x97, 0x98

// opcodes omits PERSID, EXT1, EXT2, EXT4, NEXT_BUFFER and READONLY_BUFFER, which refer to data
// outside the file. BINPERSID is for files whose Loader has Persistent.
var opcodes = [256]opcode{
	'(':  {"MARK", nothing, 336},
	')':  {"EMPTY_TUPLE", nothing, small},
	'.':  {"STOP", nothing, 0},
	'0':  {"POP", nothing, 0},
	'1':  {"POP_MARK", nothing, 0},
	'2':  {"DUP", nothing, small},
	'B':  {"BINBYTES", counted4, small},
	'C':  {"SHORT_BINBYTES", counted1, small},
	'F':  {"FLOAT", line, small},
	'G':  {"BINFLOAT", fixed8, small},
	'I':  {"INT", line, small},
	'J':  {"BININT", fixed4, small},
	'K':  {"BININT1", fixed1, small},
	'L':  {"LONG", line, 4 * small},
	'M':  {"BININT2", fixed2, small},
	'N':  {"NONE", nothing, small},
	'Q':  {"BINPERSID", nothing, small},
	'R':  {"REDUCE", nothing, 512},
	'S':  {"STRING", quoted, small},
	'T':  {"BINSTRING", counted4, small},
	'U':  {"SHORT_BINSTRING", counted1, small},
	'V':  {"UNICODE", unicode, small},
	'X':  {"BINUNICODE", counted4, small},
	']':  {"EMPTY_LIST", nothing, 144},
	'a':  {"APPEND", nothing, small},
	'b':  {"BUILD", nothing, 0},
	'c':  {"GLOBAL", twoLines, 2 * small},
	'd':  {"DICT", nothing, 2 * small},
	'e':  {"APPENDS", nothing, small},
	'g':  {"GET", line, small},
	'h':  {"BINGET", fixed1, small},
	'i':  {"INST", twoLines, 512},
	'j':  {"LONG_BINGET", fixed4, small},
	'l':  {"LIST", nothing, small},
	'o':  {"OBJ", nothing, 512},
	'p':  {"PUT", line, memo},
	'q':  {"BINPUT", fixed1, memo},
	'r':  {"LONG_BINPUT", fixed4, memo},
	's':  {"SETITEM", nothing, memo},
	't':  {"TUPLE", nothing, small},
	'u':  {"SETITEMS", nothing, small},
	'}':  {"EMPTY_DICT", nothing, 208},
	0x80: {"PROTO", fixed1, 0},
	0x81: {"NEWOBJ", nothing, 512},
	0x85: {"TUPLE1", nothing, 2 * small},
	0x86: {"TUPLE2", nothing, 2 * small},
	0x87: {"TUPLE3", nothing, 2 * small},
	0x88: {"NEWTRUE", nothing, small},
	0x89: {"NEWFALSE", nothing, small},
	0x8a: {"LONG1", counted1, 4 * small},
	0x8b: {"LONG4", counted4, 4 * small},
	0x8c: {"SHORT_BINUNICODE", counted1, small},
	0x8d: {"BINUNICODE8", counted8, small},
	0x8e: {"BINBYTES8", counted8, small},
	0x8f: {"EMPTY_SET", nothing, 336},
	0x90: {"ADDITEMS", nothing, small}, // and an entry of the set for each item: see step
	0x91: {"FROZENSET", nothing, 336},
	0x92: {"NEWOBJ_EX", nothing, 512},
	0x93: {"STACK_GLOBAL", nothing, 2 * small},
	0x94: {"MEMOIZE", nothing, memo},
	0x95: {"FRAME", frameSize, 80}, // a shift
	0x96: {"BYTEARRAY8", counted8, small},
}

// width returns the number of bytes of a fixed argument, or of the length of a counted one; 0 for
// a line.
func (a argument) width() int {
	switch a {
	case fixed1, counted1:
		return 1
	case fixed2:
		return 2
	case fixed4, counted4:
		return 4
	case fixed8, counted8, frameSize:
		return 8
	}
	return 0
}
