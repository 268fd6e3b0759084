package agent

import (
	"errors"
	"path/filepath"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// recover adopts the pods of earlier agents, ends processes that they started and could not record, and opens the
// ports.
func (a *Agent) recover() error {
	records, err := loadRecords(a.dir)
	if err != nil {
		return err
	}
	if err := removeUnrecorded(a.dir, records); err != nil {
		return err
	}
	if err := a.endStrays(records); err != nil {
		return err
	}
	if err := a.recoverVolumes(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.recoverPods(records); err != nil || a.ending {
		return err
	}
	if err := a.recoverServices(); err != nil {
		return err
	}
	a.route()
	return nil
}

func (a *Agent) recoverPods(records []record) error {
	for _, r := range records {
		r.IP = a.net.present(r.IP)
		p := newPod(a.ctx, r)
		for _, c := range p.containers {
			a.logs.keep(filepath.Join(a.logDir(p.Namespace, p.Name), c.spec.Name+".log"))
		}
		if !p.everStarted() { // the agent may have died before it wrote to the ledger
			if err := a.enter(p, "started", p.CreatedAt); err != nil {
				return err
			}
		}
		a.begin(p)
	}
	return nil
}

// recoverServices gives each Service its address in the present block and opens its ports.
func (a *Agent) recoverServices() error {
	for _, e := range a.store.list("Service", "") {
		if now := a.net.present(e.Address); now != e.Address {
			e.Address = now
			showAddress(e)
			if err := a.store.put(e); err != nil {
				return err
			}
		}
		if err := a.listen(e); err != nil {
			a.log.Error("open the Service's ports", "service", e.key().Name, "error", err)
		}
	}
	return nil
}

// endStrays ends the marked processes of containers whose recorded process is gone or was never recorded, and continues
// the others, in case a Cut was interrupted.
func (a *Agent) endStrays(records []record) error {
	known := map[process.Identity]bool{}
	for _, r := range records {
		for i, c := range r.Containers {
			if c.Process == nil || !c.Process.Alive() {
				continue
			}
			ids, err := process.Find(containerMark(r.UID, r.specs()[i].Name))
			if err != nil {
				return err
			}
			for _, id := range ids {
				known[id] = true
			}
		}
	}
	ids, err := process.Find(accountMark(a.id))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if known[id] {
			err = errors.Join(err, process.Continue([]process.Identity{id}))
			continue
		}
		err = errors.Join(err, process.KillOne(id))
	}
	return err
}
