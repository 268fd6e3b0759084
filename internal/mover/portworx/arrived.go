package portworx

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/sluice-cd/sluice"
)

// arrived returns once every claim at the destination is bound to a volume that this move brought.
func (p *Migrator) arrived(ctx context.Context, m sluice.Move, report func(sluice.Progress)) error {
	bounded, cancel := context.WithTimeout(ctx, p.options.Idle)
	defer cancel()
	for _, name := range m.Claims {
		missing := "it does not exist"
		err := await(bounded, m, name, func(why string) {
			missing = why
			report(sluice.Progress{State: sluice.Running, Message: fmt.Sprintf("the claim %s in %s: %s", name, m.To.Name, why)})
		})
		if errors.Is(bounded.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
			return sluice.Errorf(sluice.Failed, "Stork says that it moved everything, but the claim %s in %s of %s: %s", name,
				m.To.Namespace, m.To.Name, missing)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// await returns once the claim is there and usable, and says meanwhile what is missing.
func await(ctx context.Context, m sluice.Move, name string, say func(string)) error {
	for claim, err := range m.To.Account.Follow(ctx, claimRef(m.To, name)) {
		if err != nil {
			return err
		}
		missing := missingOf(claim, m)
		if missing == "" {
			return nil
		}
		say(missing)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return sluice.Errorf(sluice.Unavailable, "the account %s stopped reporting changes", m.To.Name)
}

func missingOf(claim sluice.Object, m sluice.Move) string {
	switch {
	case claim.Field("spec") == nil:
		return "it does not exist"
	case claim.Text("metadata", "deletionTimestamp") != "":
		return "it is being deleted"
	case !cameBy(m, claim):
		return "it did not come by this move"
	case claim.Text("status", "phase") != "Bound" || volumeOf(claim) == "":
		return "it is " + cmp.Or(claim.Text("status", "phase"), "not bound yet")
	}
	return ""
}
