package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ream/worker"
)

// plan is a schedule that is due at some times. It notes when it was looked at.
type plan struct {
	begin  time.Time
	due    []time.Duration // since the beginning
	looked []time.Duration
	fail   error
	held   bool // by another process
}

func (p *plan) FireDue(context.Context) (time.Time, error) {
	since := time.Since(p.begin)
	p.looked = append(p.looked, since)
	if p.fail != nil {
		return time.Time{}, p.fail
	}
	for len(p.due) > 0 && p.due[0] <= since && !p.held {
		p.due = p.due[1:]
	}
	if len(p.due) == 0 {
		return time.Time{}, nil
	}
	return p.begin.Add(p.due[0]), nil
}

func TestSchedulerWaitsForWhatIsNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		plan plan
		at   time.Duration // of a change
		do   func(p *plan)
		want []time.Duration
	}{
		{name: "due times", plan: plan{due: []time.Duration{0, 10 * time.Second, 12 * time.Second}},
			want: []time.Duration{0, 10 * time.Second, 12 * time.Second, 72 * time.Second}},
		{name: "a far one", plan: plan{due: []time.Duration{75 * time.Second}},
			want: []time.Duration{0, time.Minute, 75 * time.Second}},
		{name: "none", want: []time.Duration{0, time.Minute}},
		{name: "another process has it", plan: plan{due: []time.Duration{0}, held: true}, at: 2500 * time.Millisecond, do: func(p *plan) { p.held = false },
			want: []time.Duration{0, time.Second, 2 * time.Second, 2500 * time.Millisecond, 62500 * time.Millisecond}},
		{name: "an error", plan: plan{fail: errors.New("away"), due: []time.Duration{0}}, at: 1500 * time.Millisecond, do: func(p *plan) { p.fail = nil },
			want: []time.Duration{0, time.Second, 1500 * time.Millisecond, 61500 * time.Millisecond}},
		{name: "a new one", at: 30 * time.Second, do: func(p *plan) { p.due = []time.Duration{40 * time.Second} },
			want: []time.Duration{0, 30 * time.Second, 40 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := tt.plan
				p.begin = time.Now()
				s := worker.NewScheduler(&p, time.Now, slog.New(slog.DiscardHandler))
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Run(ctx) }()
				if tt.do != nil {
					time.Sleep(tt.at) // in the bubble's time
					synctest.Wait()
					tt.do(&p)
					s.Wake()
				}
				time.Sleep(80*time.Second - time.Since(p.begin))
				synctest.Wait()
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				got := p.looked
				if len(got) < len(tt.want) {
					t.Fatalf("looked at %v, want %v", got, tt.want)
				}
				for i, want := range tt.want {
					if got[i] != want {
						t.Fatalf("looked at %v, want %v", got, tt.want)
					}
				}
			})
		})
	}
}
