//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"unsafe"
)

const (
	arenas     = 2
	arenaBytes = 32 << 20 // room for a batch of a few hundred utterances; what is larger goes in parts
)

// A submission is commands, and the arena with what they need of the host.
type submission struct {
	arena int
	host  unsafe.Pointer // pinned memory
	twin  uint64         // its address on the device
	used  int            // bytes
	words []uint64
}

// newSubmission takes pinned memory and its twin, on the thread.
func (d *Device) newSubmission(arena int) (*submission, error) {
	s := &submission{arena: arena}
	if err := check(d.name+": pinned memory", C.memory_pinned(&s.host, arenaBytes)); err != nil {
		return nil, err
	}
	var twin C.uint64_t
	if err := check(d.name+": memory", C.memory_alloc(&twin, arenaBytes)); err != nil {
		return nil, err
	}
	s.twin = uint64(twin)
	return s, nil
}

// begin locks the device for a command. Steps of Adam that wait for company are launched first.
func (d *Device) begin() {
	d.mu.Lock()
	d.launchAdams()
}

// take returns the submission that is being written; it waits for one if the thread has both.
func (d *Device) take() *submission {
	if d.next == nil {
		d.next = <-d.free
		d.next.used, d.next.words = 0, d.next.words[:0]
	}
	return d.next
}

// stage takes memory of the arena, on the host and where it will be on the device, for the next
// command alone.
func (d *Device) stage(bytes int) (host unsafe.Pointer, address uint64) {
	if bytes > arenaBytes {
		panic(fmt.Sprintf("cuda: %d bytes from the host for one kernel, at most %d fit", bytes, arenaBytes))
	}
	if s := d.take(); s.used+bytes > arenaBytes {
		d.submit()
	}
	s := d.take()
	at := s.used
	s.used += (bytes + 15) &^ 15
	return unsafe.Add(s.host, at), s.twin + uint64(at)
}

// stageSlice puts numbers in the arena.
func stageSlice[T any](d *Device, v []T) (address uint64) {
	host, address := d.stage(len(v) * int(unsafe.Sizeof(v[0])))
	copy(unsafe.Slice((*T)(host), len(v)), v)
	return address
}

// Arguments of kernels are words: addresses, whole numbers and numbers.
func whole(n int) uint64 { return uint64(n) }

func number(v float64) uint64 { return math.Float64bits(v) }

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// blockThreads is how many threads most kernels have in a block.
const blockThreads = 256

// launch appends a kernel with a thread for each of n items. n may be 0.
func (d *Device) launch(name string, n int, args ...uint64) {
	d.launchBlocks(name, (n+blockThreads-1)/blockThreads, blockThreads, args...)
}

// launchBlocks appends a kernel.
func (d *Device) launchBlocks(name string, blocks, threads int, args ...uint64) {
	if blocks == 0 {
		return
	}
	if blocks > math.MaxInt32 {
		panic(fmt.Sprintf("cuda: %s on %d blocks of %d threads: too large for one kernel", name, blocks, threads))
	}
	s := d.take()
	s.words = append(s.words, C.LAUNCH|uint64(4+len(args))<<8, d.kernels.function(name), uint64(blocks), uint64(threads))
	s.words = append(s.words, args...)
}

// submit hands what is written to the thread.
func (d *Device) submit() {
	s := d.next
	if s == nil {
		return
	}
	d.next = nil
	d.tasks <- func() {
		if err := d.run(s); err != nil {
			d.fail(err)
		}
		d.free <- s
	}
}

// run runs a submission, on the thread. A device that failed runs nothing.
func (d *Device) run(s *submission) error {
	if d.failed() != nil {
		return nil
	}
	if err := check(d.name+": copy from the host", C.stage_begin(d.gpu, C.int(s.arena), C.uint64_t(s.twin), s.host, C.size_t(s.used))); err != nil {
		return err
	}
	if len(s.words) > 0 {
		if err := d.runCommands(s.words); err != nil {
			return err
		}
	}
	return check(d.name+": copy from the host", C.stage_end(d.gpu, C.int(s.arena)))
}

// runCommands runs commands in the way that fits how often they were seen.
func (d *Device) runCommands(words []uint64) error {
	first, n := (*C.uint64_t)(unsafe.Pointer(&words[0])), C.size_t(len(words))
	g, seen := d.graphs.find(words)
	if !seen { // kernel by kernel, so that a failure has a name
		var at C.size_t
		code := C.commands_run(d.gpu, first, n, 1, &at)
		if code != 0 {
			return check(fmt.Sprintf("%s: %s", d.name, d.commandName(words[at:])), code)
		}
		return nil
	}
	if g.graph == nil {
		if err := check(d.name+": capturing a step", C.commands_capture(d.gpu, first, n, &g.graph)); err != nil {
			return err
		}
	}
	return check(d.name+": a captured step", C.graph_run(d.gpu, g.graph))
}

// commandName names the kernel of a command.
func (d *Device) commandName(command []uint64) string {
	if command[0]&0xff == C.GEMM {
		return "product"
	}
	return "kernel " + d.kernels.name(command[1])
}

// A graph is a list of commands that was seen, and its CUDA graph from the second time on.
type graph struct {
	words []uint64
	graph unsafe.Pointer
	used  int // when
}

// graphs remembers lists of commands.
type graphs struct {
	known map[uint64]*graph // by hash
	clock int
}

// maxGraphs bounds what is remembered: a training run has some ten lists, of its kinds of batch in
// each arena.
const maxGraphs = 64

var hashSeed = maphash.MakeSeed()

// find returns what is remembered of a list of commands, and whether it was seen before.
func (g *graphs) find(words []uint64) (found *graph, seen bool) {
	key := maphash.Bytes(hashSeed, unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words)))
	g.clock++
	if f := g.known[key]; f != nil && slices.Equal(f.words, words) {
		f.used = g.clock
		return f, true
	}
	if len(g.known) >= maxGraphs {
		g.forget()
	}
	if g.known == nil {
		g.known = map[uint64]*graph{}
	}
	g.known[key] = &graph{words: slices.Clone(words), used: g.clock}
	return g.known[key], false
}

// forget drops the list that was not used for longest.
func (g *graphs) forget() {
	oldest, last := uint64(0), math.MaxInt
	for key, f := range g.known {
		if f.used < last {
			oldest, last = key, f.used
		}
	}
	if f := g.known[oldest]; f.graph != nil {
		C.graph_free(f.graph)
	}
	delete(g.known, oldest)
}
