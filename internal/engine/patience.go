package engine

import (
	"time"

	"github.com/sluice-cd/sluice"
)

// heals reports whether trying again may help. It is the only decision on that: steps only ask what [sluice.MayPass].
func heals(verb Verb, err error) bool {
	return recorded(err, nil).Code.IsOutage() || verb == VerbUndo && sluice.MayPass(err)
}

const (
	// undoBudget is how many times longer than other verbs an undo is tried.
	undoBudget = 60
	// lostAtMost is how much of one try counts as lost to an outage. A longer try did useful work before.
	lostAtMost = 10 * time.Second
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// A patience says how long a verb is tried. Only the time lost to outages counts against the budget, so several short
// outages during hours of work do not end a step. Nobody else cleans up what an undo leaves behind. So it has a much
// larger budget, which counts all time since its first failure.
type patience struct {
	engine *Engine
	verb   Verb
	budget time.Duration
	pause  time.Duration
	spent  time.Duration
	until  time.Time // the end of the budget if nothing but outages follows; zero: there was no failure
}

func (e *Engine) patience(verb Verb) *patience {
	budget := e.config.RetryFor
	if verb == VerbUndo {
		budget *= undoBudget
	}
	return &patience{engine: e, verb: verb, budget: budget, pause: firstPause}
}

// lose counts a try that failed and reports whether another one failed before.
func (p *patience) lose(took time.Duration) (again bool) {
	again = !p.until.IsZero()
	switch {
	case !again:
		p.until = p.engine.config.Now().Add(p.budget)
	case p.verb == VerbUndo:
		p.spent += took
	default:
		p.spent += min(took, lostAtMost)
	}
	if took > lostAtMost {
		p.pause = firstPause
	}
	return again
}

func (p *patience) isOver() bool { return p.spent >= p.budget }

// next returns how long to wait before the next try. Pauses grow, and are spread so that those that met the same outage
// do not all come back at once.
func (p *patience) next() time.Duration {
	wait := p.pause
	var random [1]byte
	if err := p.engine.random(random[:]); err == nil {
		wait = wait/2 + wait/2*time.Duration(random[0])/255
	}
	wait = min(wait, p.budget-p.spent)
	p.spent += wait
	p.pause = min(p.pause*2, lastPause)
	return wait
}
