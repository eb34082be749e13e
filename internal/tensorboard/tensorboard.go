// Package tensorboard encodes the event files that TensorBoard, and the trackers that import its
// files, read.
//
// A file is a sequence of records (TFRecord), integers in little-endian order,
//
//	uint64 length, uint32 masked CRC-32C of it, data, uint32 masked CRC-32C of the data
//
// and the data of each an Event in protocol buffers' encoding (tensorflow/core/util/event.proto,
// framework/summary.proto):
//
//	Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//	Summary { repeated Value value = 1; }
//	Value   { string tag = 1; float simple_value = 2; }
package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// A Scalar is a number under the name of its chart; charts of the same first part, up to a slash,
// stand together.
type Scalar struct {
	Tag   string
	Value float64 // kept as float32
}

// Header returns the record that begins a file. Times are in seconds since 1970.
func Header(wallTime float64) []byte {
	return record(text(double(nil, 1, wallTime), 3, "brain.Event:2"))
}

// Record returns the scalars of one step.
func Record(wallTime float64, step int, scalars []Scalar) []byte {
	var summary []byte
	for _, s := range scalars {
		v := key(text(nil, 1, s.Tag), 2, fixed32)
		v = binary.LittleEndian.AppendUint32(v, math.Float32bits(float32(s.Value)))
		summary = text(summary, 1, string(v))
	}
	event := key(double(nil, 1, wallTime), 2, varint)
	event = binary.AppendUvarint(event, uint64(step))
	return record(text(event, 5, string(summary)))
}

// Wire types of protocol buffers.
const (
	varint    = 0
	fixed64   = 1
	delimited = 2
	fixed32   = 5
)

func key(b []byte, field, wire uint64) []byte { return binary.AppendUvarint(b, field<<3|wire) }

func double(b []byte, field uint64, v float64) []byte {
	return binary.LittleEndian.AppendUint64(key(b, field, fixed64), math.Float64bits(v))
}

// text appends a string, or a message, which is encoded alike.
func text(b []byte, field uint64, s string) []byte {
	return append(binary.AppendUvarint(key(b, field, delimited), uint64(len(s))), s...)
}

func record(data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the CRC-32C rotated by 15 bits and moved by a constant, so that checksums can be
// taken of data that holds checksums.
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
