// Package tensorboard encodes event files for TensorBoard and for experiment trackers that import
// them. Start with [Record].
//
// A file is a sequence of records (TFRecord) with little-endian integers:
//
//	uint64 length, uint32 masked CRC-32C of it, data, uint32 masked CRC-32C of the data
//
// The data of each record is an Event, encoded with protocol buffers
// (tensorflow/core/util/event.proto, framework/summary.proto):
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

// A Scalar is one value of a chart.
type Scalar struct {
	Tag   string  // the name of the chart; charts with the same prefix before a slash form a group
	Value float64 // stored as float32
}

// Header returns the first record of a file. wallTime is in seconds since 1970.
func Header(wallTime float64) []byte {
	return record(bytesField(double(nil, 1, wallTime), 3, "brain.Event:2"))
}

// Record returns a record with the scalars of one step. wallTime is in seconds since 1970.
func Record(wallTime float64, step int, scalars []Scalar) []byte {
	var summary []byte
	for _, s := range scalars {
		v := key(bytesField(nil, 1, s.Tag), 2, fixed32)
		v = binary.LittleEndian.AppendUint32(v, math.Float32bits(float32(s.Value)))
		summary = bytesField(summary, 1, string(v))
	}
	event := key(double(nil, 1, wallTime), 2, varint)
	event = binary.AppendUvarint(event, uint64(step))
	return record(bytesField(event, 5, string(summary)))
}

// The wire types of protocol buffers.
const (
	varint    = 0
	fixed64   = 1
	delimited = 2
	fixed32   = 5
)

// key appends the number and the wire type of a field.
func key(b []byte, field, wire uint64) []byte { return binary.AppendUvarint(b, field<<3|wire) }

// double appends a field of type double.
func double(b []byte, field uint64, v float64) []byte {
	return binary.LittleEndian.AppendUint64(key(b, field, fixed64), math.Float64bits(v))
}

// bytesField appends a field of type string, or an embedded message, which has the same encoding.
func bytesField(b []byte, field uint64, s string) []byte {
	return append(binary.AppendUvarint(key(b, field, delimited), uint64(len(s))), s...)
}

// record returns data with its length and the two checksums.
func record(data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, maskedCRC(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC returns the CRC-32C of data, rotated right by 15 bits, plus a constant. With
// the mask, a checksum also protects data that contain checksums.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
