package parallel

import (
	"testing"
	"time"
)

// TestYieldOnCrowdedCore checks that a thread that was away for long does not yield for a hundred
// times as long.
func TestYieldOnCrowdedCore(t *testing.T) {
	defer crowdedUntil.Store(crowdedUntil.Swap(0))
	now := time.Since(start)
	if !noteAway(now, crowded) || crowdedUntil.Load() != 0 {
		t.Errorf("%v away: crowded until %v, want never", crowded, crowdedUntil.Load())
	}
	const away = time.Hour
	if want := now + 100*away; noteAway(now, away) || crowdedUntil.Load() != int64(want) {
		t.Errorf("%v away: crowded until %v, want %v", away, time.Duration(crowdedUntil.Load()),
			want)
	}
	if yield() {
		t.Error("it yielded on a crowded core")
	}
}

// TestYieldReturnsSoon checks that a thread may yield again unless it was away for long.
func TestYieldReturnsSoon(t *testing.T) {
	defer crowdedUntil.Store(crowdedUntil.Swap(0))
	time.Sleep(2 * crowded) // the process is older than that
	before := time.Now()
	if ok := yield(); !ok && time.Since(before) <= crowded {
		t.Errorf("%v away: it must not yield again, although the core is not crowded",
			time.Since(before))
	}
}
