package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A world is what steps change: named values, as in a cluster that outlives the engine.
type world interface {
	// Set gives a name a value, "" removes it. Setting what is so already is no effect.
	Set(name, value string) error
	// Get returns the value, "" if there is none.
	Get(name string) (string, error)
	// Complain records that something happened that must not happen.
	Complain(what string) error
}

// memoryWorld is the world itself. It counts how often every effect was really made.
type memoryWorld struct {
	mu         sync.Mutex
	facts      map[string]string
	effects    map[string]int
	complaints []string
}

func newWorld() *memoryWorld {
	return &memoryWorld{facts: map[string]string{}, effects: map[string]int{}}
}

// change makes an effect and reports whether it was one.
func (w *memoryWorld) change(name, value string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.facts[name] == value {
		return false
	}
	w.effects[fmt.Sprintf("%s: %q -> %q", name, w.facts[name], value)]++
	w.facts[name] = value
	if value == "" {
		delete(w.facts, name)
	}
	return true
}

func (w *memoryWorld) Get(name string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.facts[name], nil
}

func (w *memoryWorld) Complain(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, what)
	return nil
}

// repeated lists the effects that were made more than once.
func (w *memoryWorld) repeated() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, effect := range slices.Sorted(maps.Keys(w.effects)) {
		if n := w.effects[effect]; n > 1 {
			list = append(list, fmt.Sprintf("%s, %d times", effect, n))
		}
	}
	return list
}

// repaired names what holds a mark for each time that somebody repaired the world.
const repaired = "repaired"

// repair lets steps put back what they could not put back before.
func (w *memoryWorld) repair() {
	marks, _ := w.Get(repaired) // this world never fails
	w.change(repaired, marks+"x")
}

// A life is the time of one engine, from its making to its kill. Whatever the engine does goes through it, so
// that nothing happens after death.
type life struct {
	world   *memoryWorld
	store   *storetest.Memory
	appends int // die after so many; 0: never
	effects int // die after so many; 0: never

	mu   sync.Mutex
	dead bool
	died chan struct{}
}

// killed is what the engine gets from everything after its death. It is not Unavailable, so it is not tried again.
func killed() error { return sluice.Errorf(sluice.Internal, "the process was killed") }

func (l *life) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// die ends the life.
func (l *life) die() {
	l.dead = true
	close(l.died)
}

// Set makes an effect, after which the life may be over. The one who made it never hears of it then.
func (l *life) Set(name, value string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return killed()
	}
	if !l.world.change(name, value) {
		return nil
	}
	if l.effects--; l.effects == 0 {
		l.die()
		return killed()
	}
	return nil
}

func (l *life) Get(name string) (string, error) {
	if l.isDead() {
		return "", killed()
	}
	return l.world.Get(name)
}

func (l *life) Complain(what string) error { return l.world.Complain(what) }
