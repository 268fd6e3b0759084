package agent

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// A ledgerLine says that a pod was started or has ended. After a crash a line may occur twice, which the uid shows.
type ledgerLine struct {
	Event     string    `json:"event"` // started or ended
	At        time.Time `json:"at"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       string    `json:"uid"`
	Owner     string    `json:"owner"`
	Image     string    `json:"image"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Restarts  int       `json:"restarts"`
	Reason    string    `json:"reason,omitempty"`
}

// enter adds a line to pods.jsonl, the list of all pods that the account ever started. The mutex is held.
func (a *Agent) enter(p *pod, event string, at time.Time) error {
	line, err := json.Marshal(ledgerLine{
		Event: event, At: at, Namespace: p.Namespace, Name: p.Name, UID: p.UID, Owner: p.ownerName(),
		Image: p.Spec.Containers[0].Image, StartedAt: p.CreatedAt, EndedAt: p.EndedAt,
		Restarts: p.restarts(), Reason: p.Reason,
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(a.dir, "pods.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}
