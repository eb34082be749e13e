//go:build cuda && cgo && linux

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/device/devicetest"
)

func TestMain(m *testing.M) {
	// each buffer is a separate block of its exact size, so that the emulator detects writes
	// outside of it
	smallBlock, alignment = 0, 4
	cudatest.Main(m)
}

func open(t testing.TB) *Device {
	t.Helper()
	dev, err := Open(0, false)
	if err != nil {
		t.Fatal(err)
	}
	return dev.(*Device)
}

func TestDevice(t *testing.T) { devicetest.Run(t, open(t)) }

func values(t testing.TB, d *Device, b device.Buffer) []float64 {
	t.Helper()
	v := make([]float64, b.Len())
	d.Download(v, b)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	return v
}

// A step is a list of commands that includes every kind of data from the host, on fixed buffers.
type step struct {
	d                              *Device
	x, y, z, p, m, v, square, cell device.Buffer
	half, row, column              device.Buffer
}

const width, rows = 33, 40

func newStep(d *Device) *step {
	s := &step{d, d.Alloc(rows * width), d.Alloc(rows * width), d.Alloc(rows * width),
		d.Alloc(rows * width), d.Alloc(rows * width), d.Alloc(rows * width),
		d.Alloc(width * width), d.Alloc(rows * width),
		d.Alloc(rows * (width + 1) / 2), d.Alloc(rows), d.Alloc(width)}
	for _, b := range []device.Buffer{s.p, s.m, s.v, s.half, s.row, s.column} {
		d.Fill(b, 0.5)
	}
	return s
}

// run appends the commands of step i and submits them. The input, rows, seed, lengths and learning
// rate depend on i.
func (s *step) run(i int) {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	in := make([]float32, rows*width)
	for j := range in {
		in[j] = float32(r.NormFloat64())
	}
	index := make([]int, rows)
	for j := range index {
		index[j] = r.IntN(rows)
	}
	d := s.d
	d.Upload32(s.x, in)
	d.Dropout(s.y, s.x, 0.25, r.Uint64())
	d.Gather(s.z, s.y, index, width)
	d.ScatterAdd(s.z, index, s.x, width)
	q := device.Sequences{Samples: 4, Steps: 5, Width: 8,
		Lengths: []int{1 + i%5, 5, 1 + i%3, 2}, Reverse: true}
	l, u := device.LSTM{Sequences: q}, device.GRU{Sequences: q}
	d.LSTM(l, s.y, s.cell, s.z, s.x)
	d.LSTMGrad(l, s.z, s.y, s.cell, s.x)
	d.GRU(u, s.y, s.cell, s.z, s.x, s.x)
	d.GRUGrad(u, s.z, s.cell, s.x, s.y, s.x)
	d.Gemm(device.Gemm{TransA: true, M: width, N: width, K: rows, Alpha: 1, Count: 1,
		A: device.Matrix{Buf: s.z, Stride: width},
		B: device.Matrix{Buf: s.x, Stride: width}, C: device.Matrix{Buf: s.square, Stride: width}})
	a := device.Adam{LR: 0.1 / float64(i+1), Beta1: 0.9, Beta2: 0.99, Eps: 1e-8,
		Correction1: 1 - math.Pow(0.9, float64(i+1)),
		Correction2: 1 - math.Pow(0.99, float64(i+1))}
	d.Adam(a, s.p, s.z, s.m, s.v)
	a.LR *= 2
	d.AdamRows(a, s.p, s.z, s.m, s.v, []int{2, 7, 8 + i%3}, width)
	d.AdamCompact(a, s.p, s.z, s.half, s.row, s.column, nil)
	d.AdamCompact(a, s.p, s.z, s.half, s.row, s.column, []int{1, 7 + i%3})
	d.Submit()
}

// TestReplay compares two runs of the same steps, bit for bit. In the first, the lists of commands
// are captured and replayed; in the second, no list occurs twice. It shows that all data that
// differs between steps is in the arena.
func TestReplay(t *testing.T) {
	const steps = 9
	d := open(t)
	s := newStep(d)
	d.Submit()
	var replayed [][]float64
	for i := range steps {
		s.run(i)
	}
	for _, b := range []device.Buffer{s.p, s.m, s.v, s.square} {
		replayed = append(replayed, values(t, d, b))
	}
	captured := 0
	d.do(func() {
		for _, g := range d.graphs.lists {
			if g.graph != nil {
				captured++
			}
		}
	})
	if captured != arenas {
		t.Errorf("%d graphs after %d equal steps, want one for each of %d arenas", captured,
			steps, arenas)
	}
	s = newStep(d)
	for i := range steps {
		s.run(i)
		d.Fill(d.Alloc(i+1), 0) // no two lists of commands are equal
		d.do(func() { d.graphs.lists = nil })
	}
	for i, b := range []device.Buffer{s.p, s.m, s.v, s.square} {
		if got := values(t, d, b); !slices.Equal(got, replayed[i]) {
			t.Errorf("buffer %d differs between replayed and plain steps", i)
		}
	}
}

// TestTwoGoroutines runs two trainings concurrently on one device. The results must equal those of
// a training that runs alone.
func TestTwoGoroutines(t *testing.T) {
	alone := newStep(open(t))
	for i := range 8 {
		alone.run(i)
	}
	want := values(t, alone.d, alone.p)
	d := open(t)
	both := []*step{newStep(d), newStep(d)}
	var wait sync.WaitGroup
	for _, s := range both {
		wait.Go(func() {
			for i := range 8 {
				s.run(i)
			}
		})
	}
	wait.Wait()
	for i, s := range both {
		if got := values(t, d, s.p); !slices.Equal(got, want) {
			t.Errorf("the result of goroutine %d differs from that of a single training", i)
		}
	}
}

// TestGraphsAreEvicted checks the maximum number of lists in the cache.
func TestGraphsAreEvicted(t *testing.T) {
	d := open(t)
	b := d.Alloc(4)
	for i := range 3 * maxGraphs {
		for range 3 {
			d.Fill(b, float64(i))
			d.Submit()
		}
	}
	if got := values(t, d, b); got[0] != 3*maxGraphs-1 {
		t.Errorf("filled with %g, want %d", got[0], 3*maxGraphs-1)
	}
	d.do(func() {
		if n := len(d.graphs.lists); n > maxGraphs {
			t.Errorf("the cache has %d lists, want at most %d", n, maxGraphs)
		}
	})
}

// TestLargeUpload uploads more than the capacity of both arenas.
func TestLargeUpload(t *testing.T) {
	d := open(t)
	n := 3*arenaBytes/4 + 5
	src := make([]float32, n)
	for i := range src {
		src[i] = float32(i % 9973)
	}
	b := d.Alloc(n)
	d.Upload32(b, src)
	for i, v := range values(t, d, b) {
		if v != float64(src[i]) {
			t.Fatalf("number %d of %d is %g, want %g", i, n, v, src[i])
		}
	}
}

// TestMemoryIsRecycled checks that the memory of a buffer is reused after garbage collection, and
// that the allocator reserves no more.
func TestMemoryIsRecycled(t *testing.T) {
	d := open(t)
	const n = 100003
	d.Fill(d.Alloc(n), 1)
	reserved, _, _ := d.memory.counts()
	deadline := time.Now().Add(10 * time.Second)
	for {
		runtime.GC()
		d.memory.mu.Lock()
		free := d.memory.free
		d.memory.mu.Unlock()
		if free >= 4*n {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the memory of an unreachable buffer was not recycled")
		}
		time.Sleep(time.Millisecond)
	}
	b := d.Alloc(n)
	d.Fill(b, 2)
	if again, _, _ := d.memory.counts(); again != reserved {
		t.Errorf("%d bytes reserved, want %d as before", again, reserved)
	}
	if got := values(t, d, b); got[n-1] != 2 {
		t.Errorf("the last number is %g, want 2", got[n-1])
	}
}

// TestOutOfMemory allocates more than any device has. Sync returns an error with the numbers of
// bytes, also when it is called again.
func TestOutOfMemory(t *testing.T) {
	d := open(t)
	x := d.Alloc(1000)
	d.Fill(x, 1)
	huge := d.Alloc(1 << 38)
	d.Fill(huge, 1)
	d.Axpy(2, x, x)
	for range 2 {
		err := d.Sync()
		want := regexp.MustCompile(
			`^cuda: cuda:0: out of memory: tried to allocate 1048576.0 MiB; [0-9.]+ MiB are reserved, ` +
				`of which [0-9.]+ MiB are free, and the device has [0-9.]+ MiB free of ` +
				`[0-9.]+ MiB; reduce train.batch`,
		)
		if err == nil || !want.MatchString(err.Error()) {
			t.Fatalf("Sync returns %v, want %s", err, want)
		}
	}
	v := make([]float64, 1000)
	if d.Download(v, x); !math.IsNaN(v[0]) {
		t.Errorf("a failed device gives %g, want NaN", v[0])
	}
}

// TestFreeMemoryIsReleased fills the memory with blocks of one size, makes them unreachable and
// allocates a larger block, while commands that are not yet submitted still read one of the
// blocks.
func TestFreeMemoryIsReleased(t *testing.T) {
	if cudatest.Emulator == "" {
		t.Skip("it would fill the memory of a real GPU, which other programs may use; the " +
			"emulator's memory can be limited")
	}
	d := open(t)
	_, _, available := d.memory.counts()
	t.Setenv("RECAP_EMULATOR_MEMORY", fmt.Sprint(8<<30-available+24<<20))
	kept := d.Alloc(1 << 20)
	func() {
		for range 4 {
			b := d.Alloc(1 << 20)
			d.Fill(b, 3)
			d.Copy(device.Dense(kept, []int{1 << 20}), []int{1 << 20},
				device.Dense(b, []int{1 << 20}))
		}
	}()
	for i := range 50 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		_ = i
	}
	d.Fill(d.Alloc(4<<20), 1)
	if got := values(t, d, kept); got[1<<20-1] != 3 {
		t.Errorf("the kept buffer holds %g, want 3", got[1<<20-1])
	}
}

// TestFailureNamesTheKernel reads outside of a table. It runs in a separate process, which cannot
// use the GPU after that.
func TestFailureNamesTheKernel(t *testing.T) {
	if os.Getenv("RECAP_TEST_FAILURE") != "" {
		d := open(t)
		x := d.Alloc(10)
		d.Fill(x, 1)
		d.Gather(x, x, []int{1 << 30}, 10)
		d.Fill(x, 2)
		fmt.Println("found:", d.Sync())
		fmt.Println("again:", d.Sync())
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFailureNamesTheKernel$")
	cmd.Env = append(os.Environ(), "RECAP_TEST_FAILURE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = "cuda: cuda:0: kernel gather: CUDA_ERROR_ILLEGAL_ADDRESS"
	for _, line := range []string{"found: ", "again: "} {
		if !strings.Contains(string(out), line+want) {
			t.Errorf("output %s, want %q", out, line+want)
		}
	}
}

// TestForeignBuffer checks that a kernel rejects a buffer of another device.
func TestForeignBuffer(t *testing.T) {
	defer func() {
		if got, _ := recover().(string); got != "cuda: a buffer of type *cuda.buffer on device cuda:0" {
			t.Errorf("panic %q", got)
		}
	}()
	open(t).Fill(open(t).Alloc(1), 0)
}

// TestStepsThatDepend checks that no kernel computes two steps of one tensor, whose blocks would
// conflict. The emulator runs blocks one after the other and cannot show the conflict, so the test
// looks at the list of pending steps.
func TestStepsThatDepend(t *testing.T) {
	d := open(t)
	x, y, g, m, v := d.Alloc(5), d.Alloc(5), d.Alloc(5), d.Alloc(5), d.Alloc(5)
	a := device.Adam{LR: 1, Beta1: 0.9, Beta2: 0.9, Eps: 1, Correction1: 1, Correction2: 1}
	for i, p := range []device.Buffer{x, y, x, y} {
		d.Adam(a, p, g, m, v)
		if want := i%2 + 1; len(d.pendingAdam) != want {
			t.Errorf("%d steps are pending after call %d, want %d", len(d.pendingAdam), i+1, want)
		}
	}
}

// TestTF32 opens the GPU with products in TF32, whose inputs have ten bits of mantissa.
func TestTF32(t *testing.T) {
	d, err := Open(0, true)
	if err != nil {
		t.Fatal(err)
	}
	if d.Name() != "cuda:0,tf32" {
		t.Errorf("Name is %q", d.Name())
	}
	const n = 64
	x, y := d.Alloc(n*n), d.Alloc(n*n)
	d.Fill(x, 1.1)
	d.Gemm(device.Gemm{M: n, N: n, K: n, Alpha: 1, Count: 1, A: device.Matrix{Buf: x, Stride: n},
		B: device.Matrix{Buf: x, Stride: n}, C: device.Matrix{Buf: y, Stride: n}})
	if got, want := values(t, d.(*Device), y)[n], n*1.1*1.1; math.Abs(got-want) > 2e-3*want {
		t.Errorf("a product of TF32 is %g, want %g", got, want)
	}
}

// TestWrongNumber checks the error for a GPU that does not exist.
func TestWrongNumber(t *testing.T) {
	if _, err := Open(1000, false); err == nil ||
		!strings.Contains(err.Error(), "expected a number below") {
		t.Errorf("Open(1000) returns %v", err)
	}
}

// TestReport checks that the report has each library with its path, and the GPU.
func TestReport(t *testing.T) {
	report := strings.Join(Report(), "\n")
	for _, want := range []string{`driver: .*libcuda\.so\.1, for CUDA \d+\.\d`,
		`cuBLAS: .*libcublas\.so\.\d+, version \d+`, `NVRTC: .*libnvrtc\.so\.\d+.*, version \d+`,
		`cuda:0: .*, compute capability \d+\.\d+, \d+ multiprocessors, .* MiB of memory, .* MiB free`} {
		if !regexp.MustCompile(want).MatchString(report) {
			t.Errorf("the report has no line like %s:\n%s", want, report)
		}
	}
}
