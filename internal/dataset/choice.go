package dataset

import (
	"cmp"
	"context"
	"fmt"

	"github.com/sluice-cd/sluice"
)

// A choice says which mover copies a dataset, and why.
type choice struct {
	mover string
	why   string
}

// choose decides which mover copies the claims: snapshots that stay in the storage if they can be used where the copy
// goes to, otherwise the mover that works anywhere. Snapshots that the file asks for and that cannot be used are an
// error.
func (r Request) choose(ctx context.Context, states []sluice.ClaimState) (choice, error) {
	named := r.Spec.Mover
	if named != "" && named != autoMover && named != sluice.MoverCSI {
		return choice{named, "as the file says"}, nil
	}
	against, err := r.againstSnapshots(ctx, states)
	switch {
	case err != nil:
		return choice{}, err
	case against == "":
		return choice{sluice.MoverCSI, fmt.Sprintf("both ends use the driver %s in the account %s, so no bytes move; the "+
			"copy is in the same storage as the data and is lost with it, which mover: %s avoids", states[0].Driver,
			r.Place.Name, kopiaMover)}, nil
	case named == sluice.MoverCSI:
		return choice{}, sluice.Errorf(sluice.Unsupported, "the mover %s cannot copy %s of %s: %s", named, r.Spec.Name,
			r.Target, against).
			WithHint("write mover: %s, which copies through Sluice's repository, or mover: %s", kopiaMover, autoMover).
			At(r.Spec.Pos)
	}
	return choice{kopiaMover, "it works between any two accounts; snapshots cannot stay in the storage: " + against}, nil
}

// againstSnapshots says why snapshots that stay in the storage cannot be used, "" if they can.
func (r Request) againstSnapshots(ctx context.Context, states []sluice.ClaimState) (string, error) {
	to := cmp.Or(r.To, &r.Dataset)
	switch {
	case r.Movers[sluice.MoverCSI] == nil || r.Place.Account.Snapshots == nil:
		return fmt.Sprintf("the account %s keeps none", r.Place.Name), nil
	case to.Place.Name != r.Place.Name:
		return fmt.Sprintf("%s is in the account %s and %s in %s", r.Target, r.Place.Name, to.Target, to.Place.Name), nil
	}
	for _, s := range states {
		if s.Way == sluice.CutGroup { // some drivers do not delete the members of a group one by one
			return fmt.Sprintf("the claims of %s get one snapshot together", r.Target), nil
		}
		if s.Way != sluice.CutSnapshot {
			return fmt.Sprintf("the claim %s of %s has none, because %s", s.Claim, r.Target, s.Reason), nil
		}
		if driver, err := to.driver(ctx, s); err != nil || driver != s.Driver {
			return fmt.Sprintf("the claim %s has the driver %s in %s and %s in %s", s.Claim, s.Driver, r.Target,
				cmp.Or(driver, "none"), to.Target), err
		}
	}
	return "", nil
}

// driver returns the driver of the claim here. A claim that does not exist yet gets the class of the other one.
func (d Dataset) driver(ctx context.Context, from sluice.ClaimState) (string, error) {
	there, err := d.get(ctx, claimRef(d.Place.Namespace, from.Claim))
	if err != nil || there == nil {
		return from.Driver, err
	}
	states, err := d.Place.Account.Volumes.Describe(ctx, d.Place.Namespace, []string{from.Claim})
	if err != nil {
		return "", err
	}
	return states[0].Driver, nil
}

// Reach refuses a checkpoint that stays in the storage of another account.
func (d Dataset) Reach(c sluice.Checkpoint) error {
	if !c.Copy.InStorage() || c.Account == d.Place.Name {
		return nil
	}
	return sluice.Errorf(sluice.Invalid,
		"the checkpoint %s is a snapshot in the storage of the account %s, and %s is in the account %s", c.ID, c.Account,
		d.Target, d.Place.Name).
		WithHint("restore it into a target of the account %s, or take one with mover: %s, which can be restored anywhere",
			c.Account, kopiaMover).At(d.Spec.Pos)
}
