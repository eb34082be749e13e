package tensorboard

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math"
	"testing"
)

// TestGolden compares events with bytes that were encoded by hand from the format's definition:
// 12.5 s, step 300, x = 1.5.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		what  string
		got   []byte
		event string
	}{
		{"header", Header(12.5),
			"09" + "0000000000002940" + "1a0d" + hex.EncodeToString([]byte("brain.Event:2"))},
		{"scalar", Record(12.5, 300, []Scalar{{"x", 1.5}}),
			"09" + "0000000000002940" + "10ac02" + "2a0a" + "0a08" + "0a0178" + "150000c03f"},
		{"two scalars", Record(12.5, 0, []Scalar{{"x", 1.5}, {"y", -2}}),
			"09" + "0000000000002940" + "1000" + "2a14" + "0a08" + "0a0178" + "150000c03f" +
				"0a08" + "0a0179" + "15000000c0"},
	} {
		if got := hex.EncodeToString(c.got[12 : len(c.got)-4]); got != c.event {
			t.Errorf("%s: event %s, want %s", c.what, got, c.event)
		}
	}
}

// TestFraming parses records and compares the checksums with a bitwise CRC-32C.
func TestFraming(t *testing.T) {
	if got := naiveCRC([]byte("123456789")); got != 0xe3069283 { // the check value of CRC-32C
		t.Fatalf("naiveCRC is wrong: %x", got)
	}
	file := append(Header(1), Record(2, 3, []Scalar{{"stage1/loss", math.NaN()}})...)
	records := 0
	for len(file) > 0 {
		n := binary.LittleEndian.Uint64(file)
		data := file[12 : 12+n]
		if got, want := binary.LittleEndian.Uint32(file[8:]), naiveMask(file[:8]); got != want {
			t.Errorf("record %d: CRC of the length %x, want %x", records, got, want)
		}
		if got, want := binary.LittleEndian.Uint32(file[12+n:]), naiveMask(data); got != want {
			t.Errorf("record %d: CRC of the data %x, want %x", records, got, want)
		}
		records++
		file = file[16+n:]
	}
	if records != 2 {
		t.Errorf("%d records, want 2", records)
	}
	if a, b := Header(1), Header(1); !bytes.Equal(a, b) {
		t.Error("the same header has other bytes")
	}
}

func naiveMask(data []byte) uint32 {
	c := naiveCRC(data)
	return (c>>15 | c<<17) + 0xa282ead8
}

// naiveCRC computes the CRC-32C bit by bit.
func naiveCRC(data []byte) uint32 {
	c := ^uint32(0)
	for _, b := range data {
		c ^= uint32(b)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ crc32.Castagnoli
			} else {
				c >>= 1
			}
		}
	}
	return ^c
}
