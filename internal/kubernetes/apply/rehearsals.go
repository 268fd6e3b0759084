package apply

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
)

// rehearsedFor is how long the answer to a dry run holds. A release asks the same when it is started and again at its
// step, a moment later. What the API server's answer depends on besides the object, such as webhooks, may change
// meanwhile, as it may between a dry run and the write.
const rehearsedFor = time.Minute

// rehearsals keeps what dry runs of an object answered, so that the same question costs one request as long as the
// object has the same version. It is safe for concurrent use.
type rehearsals struct {
	mu   sync.Mutex
	last map[sluice.Ref]rehearsal // one of each object
}

// A rehearsal is the answer to one dry run.
type rehearsal struct {
	asked   question
	answer  []byte // the object as JSON, which needs less memory
	outcome sluice.Outcome
	until   time.Time
}

// A question is all of what decides the answer that the asking process can know.
type question struct {
	declared     [sha256.Size]byte // on whose behalf what is applied
	uid, version string            // of the stored object, "" if there is none
}

// rehearse returns what applying the fields to the live object would do, nil for one that does not exist.
func (w *Writer) rehearse(
	ctx context.Context, live sluice.Object, r applyRequest,
) (sluice.Object, sluice.Outcome, error) {
	declared, err := json.Marshal([]any{w.writing, r.declared})
	if err != nil {
		return nil, "", err
	}
	q := question{sha256.Sum256(declared), live.Text("metadata", "uid"), live.Text("metadata", "resourceVersion")}
	if now, outcome, ok := w.rehearsals.find(r.Ref, q); ok {
		return now, outcome, nil
	}
	now, outcome, err := w.applyTo(ctx, live, r)
	if err == nil {
		w.rehearsals.keep(r.Ref, q, now, outcome)
	}
	return now, outcome, err
}

func (s *rehearsals) find(ref sluice.Ref, q question) (now sluice.Object, outcome sluice.Outcome, ok bool) {
	s.mu.Lock()
	r, ok := s.last[ref]
	s.mu.Unlock()
	if !ok || r.asked != q || time.Now().After(r.until) {
		return nil, "", false
	}
	err := kjson.UnmarshalCaseSensitivePreserveInts(r.answer, &now)
	return now, r.outcome, err == nil
}

func (s *rehearsals) keep(ref sluice.Ref, q question, now sluice.Object, outcome sluice.Outcome) {
	answer, err := json.Marshal(now)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref, r := range s.last {
		if time.Now().After(r.until) {
			delete(s.last, ref)
		}
	}
	s.last[ref] = rehearsal{q, answer, outcome, time.Now().Add(rehearsedFor)}
}
