package secret

import (
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Steps returns steps whose live progress holds no secret that the redactor knows. Before the first step of a plan it
// opens the Secrets of the plan with the key: after a restart, others may still repeat them.
func (k *Key) Steps(s sluice.Steps) sluice.Steps {
	return &reporting{Steps: s, key: k, opened: map[string]bool{}}
}

type reporting struct {
	sluice.Steps
	key *Key

	mu     sync.Mutex
	opened map[string]bool // by the digest of the plan
}

// New redacts what the step will report.
func (s *reporting) New(sc sluice.StepContext) (sluice.Step, error) {
	s.learn(sc.Plan)
	if report := sc.Report; report != nil {
		sc.Report = func(p sluice.Progress) { report(*s.key.redactor.progress(&p)) }
	}
	return s.Steps.New(sc)
}

// learn opens the Secrets of a plan once. To open is to learn. The step that needs a value says if it cannot be opened.
func (s *reporting) learn(p *sluice.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p == nil || s.opened[p.Digest] {
		return
	}
	s.opened[p.Digest] = true
	for _, step := range p.Steps {
		if step.Apply == nil {
			continue
		}
		for _, o := range step.Apply.Objects {
			if o.Text("kind") == "Secret" {
				_ = manifest.OpenSecrets([]sluice.Object{o.Clone()}, s.key)
			}
		}
	}
}
