package service

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
)

// A Brancher is a step that can make a branch of its checkpoint in its target.
type Brancher interface {
	Branch(ctx context.Context, b sluice.Branch) (sluice.Branch, error)
}

// A ReachedBranch is a branch and how a person reaches it.
type ReachedBranch struct {
	sluice.Branch
	Entrances []sluice.Entrance `json:"entrances,omitempty"`
}

// A Temporary is a namespace with a copy of data that must not stay.
type Temporary = dataset.Temporary

// CheckBranch returns an error if nothing could be branched to the place of b, whatever the checkpoint is.
func CheckBranch(b sluice.Branch, c *config.Config) error {
	if err := checkNames(b); err != nil {
		return err
	}
	if _, ok := c.Accounts[b.Account]; !ok {
		return sluice.Errorf(sluice.Invalid, "the account %q is not configured", b.Account).WithHint("%s", accountHint(c))
	}
	return nil
}

// PlanBranch returns the plan whose only step can make the branch, and the branch with what its checkpoint says. b has
// name, account, namespace, owner and times. Nothing is changed. NotFound: there is no such checkpoint. Conflict: it
// has expired, so it may be deleted at any time. Invalid: a name is wrong, or the checkpoint is of a rehearsal.
func PlanBranch(ctx context.Context, store sluice.Store, checkpoint string, b sluice.Branch) (
	*sluice.Plan, sluice.Branch, error,
) {
	if err := checkNames(b); err != nil {
		return nil, b, err
	}
	c, made, err := branchable(ctx, store, checkpoint, b.MadeAt)
	if err != nil {
		return nil, b, err
	}
	data, err := restoring(ctx, store, c, made, sluice.Actor{Name: b.Owner})
	if err != nil {
		return nil, b, err
	}
	b.Application, b.Dataset, b.Target, b.Checkpoint, b.Masked = c.Application, c.Dataset, c.Target, c.ID, c.Masked
	b.URI = withoutLogin(data.Spec.URI)
	where := sluice.PlannedTarget{Name: c.Target, Account: b.Account, Namespace: b.Namespace}
	p := plan.Restore(c, where, data)
	p.Context = made.Context
	return p, b, nil
}

// branchable returns the checkpoint that can be branched, and the plan of the deployment that took it.
func branchable(ctx context.Context, store sluice.Store, checkpoint string, now time.Time) (
	c sluice.Checkpoint, made *sluice.Plan, err error,
) {
	list, err := store.Checkpoints(ctx, "")
	if err != nil {
		return c, nil, err
	}
	if c, err = FindCheckpoint(list, checkpoint); err != nil {
		return c, nil, err
	}
	if isExpired(c, now) {
		return c, nil, sluice.Errorf(sluice.Conflict, "the checkpoint %s has expired", c.ID).
			WithHint("keep it longer first: sluice data extend %s --by 24h", c.ID)
	}
	s, err := engine.Fold(c.Deployment, store.Read(ctx, c.Deployment, 0))
	if err != nil {
		return c, nil, err
	}
	if s.Plan.Rehearsal != nil {
		return c, nil, sluice.Errorf(sluice.Invalid, "the checkpoint %s is of a rehearsal", c.ID).
			WithHint("see which checkpoints there are with: sluice data list")
	}
	return c, s.Plan, nil
}

// withoutLogin returns the URI of a database without a user and a password, "" if it depends on more.
func withoutLogin(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if !ok || strings.Contains(scheme+rest, "{{") {
		return ""
	}
	return scheme + "://" + rest
}

// checkNames refuses names that no namespace can have. The name of a branch begins with a letter, because the names of
// checkpoints begin with a digit.
func checkNames(b sluice.Branch) error {
	if b.Account == "" || len(validation.IsDNS1123Label(b.Namespace)) > 0 {
		return sluice.Errorf(sluice.Invalid, "%q is no account and no namespace for a branch", b.Account+"/"+b.Namespace).
			WithHint("write --to ACCOUNT/NAMESPACE, such as --to local/dev-anna")
	}
	if len(validation.IsDNS1123Label(b.Name)) > 0 || b.Name[0] < 'a' {
		return sluice.Errorf(sluice.Invalid, "%q cannot be the name of a branch", b.Name).
			WithHint("write --name with small letters, digits and -, beginning with a letter")
	}
	if !b.Expires.After(b.MadeAt) {
		return sluice.Errorf(sluice.Invalid, "a branch has to expire in the future").WithHint("write --expires 24h")
	}
	return nil
}

// MakeBranch makes the branch by the step of PlanBranch, or goes on with making it. Conflict: another call makes it, or
// its namespace exists and is something else.
func MakeBranch(
	ctx context.Context, leases sluice.Leases, steps sluice.Steps, sc sluice.StepContext, b sluice.Branch,
) (made sluice.Branch, err error) {
	lease, err := leaseBranch(ctx, leases, b)
	if err != nil {
		return b, err
	}
	defer func() { err = cmp.Or(err, lease.Release()) }()
	s, err := steps.New(sc)
	if err != nil {
		return b, err
	}
	brancher, ok := s.(Brancher)
	if !ok {
		return b, sluice.Errorf(sluice.Internal, "the step %s makes no branches", sc.Step.ID)
	}
	return brancher.Branch(ctx, b)
}

// temporaries lists the namespaces with copies in all the accounts, in the order of the accounts' names, and says which
// accounts cannot be asked.
func temporaries(ctx context.Context, accounts map[string]sluice.Account) (
	all []Temporary, silent map[string]error,
) {
	silent = map[string]error{}
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		list, err := dataset.Temporaries(ctx, sluice.Place{Name: name, Account: accounts[name]})
		if err != nil {
			silent[name] = err
		}
		all = append(all, list...)
	}
	return all, silent
}

// Branches lists the branches in the accounts, and says which accounts cannot be asked.
func Branches(ctx context.Context, accounts map[string]sluice.Account) (
	list []sluice.Branch, silent map[string]error,
) {
	all, silent := temporaries(ctx, accounts)
	list = []sluice.Branch{} // in JSON not null
	for _, t := range all {
		if t.Branch != nil {
			list = append(list, *t.Branch)
		}
	}
	return list, silent
}

// FindBranch returns the branch that [ChooseBranch] chooses in the accounts.
func FindBranch(ctx context.Context, accounts map[string]sluice.Account, name string) (Temporary, error) {
	all, silent := temporaries(ctx, accounts)
	all = slices.DeleteFunc(all, func(t Temporary) bool { return t.Branch == nil })
	list := make([]sluice.Branch, len(all))
	for i, t := range all {
		list[i] = *t.Branch
	}
	chosen, err := ChooseBranch(list, silent, name)
	if err != nil {
		return Temporary{}, err
	}
	return all[chosen], nil
}

// ChooseBranch returns the index of the branch of that name, or with that account and namespace. NotFound: there is
// none; Invalid: there are several. If an account that may have it cannot be asked, it returns the error of that
// account.
func ChooseBranch(list []sluice.Branch, silent map[string]error, name string) (int, error) {
	var found []int
	for i, b := range list {
		if b.Name == name || b.Account+"/"+b.Namespace == name {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		first := list[found[0]]
		return 0, sluice.Errorf(sluice.Invalid, "%d branches have the name %s", len(found), name).
			WithHint("write the account and the namespace, such as %s/%s", first.Account, first.Namespace)
	}
	for _, account := range slices.Sorted(maps.Keys(silent)) {
		return 0, sluice.Errorf(sluice.ErrorCode(silent[account]),
			"there is no branch %q in the accounts that can be asked, and %s cannot: %w", name, account, silent[account])
	}
	return 0, sluice.Errorf(sluice.NotFound, "there is no checkpoint and no branch %q", name).
		WithHint("see them with: sluice data list, sluice data branches; a local account is only asked if it runs")
}

// ExtendBranch changes until when a branch stays. Conflict: that time is over already, or the branch has expired.
func ExtendBranch(
	ctx context.Context, leases sluice.Leases, t Temporary, until, now time.Time,
) (b sluice.Branch, err error) {
	if !until.After(now) {
		return *t.Branch, sluice.Errorf(sluice.Conflict, "%s is over already", until.Local().Format(time.DateTime)).
			WithHint("to delete the branch now, type: sluice data delete %s", t.Branch.Name)
	}
	lease, err := leaseBranch(ctx, leases, *t.Branch)
	if err != nil {
		return *t.Branch, err
	}
	defer func() { err = cmp.Or(err, lease.Release()) }()
	return t.Extend(ctx, until)
}

// DeleteBranch deletes the branch with its namespace. Conflict: it is being made.
func DeleteBranch(
	ctx context.Context, leases sluice.Leases, movers map[string]sluice.Mover, t Temporary,
) (err error) {
	lease, err := leaseBranch(ctx, leases, *t.Branch)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, lease.Release()) }()
	return t.Remove(ctx, dataset.Tools{Movers: movers, Now: time.Now})
}

// reapBranch deletes the branch unless it has been made again or kept longer meanwhile.
func reapBranch(
	ctx context.Context, leases sluice.Leases, t Temporary, tools dataset.Tools,
) (deleted bool, err error) {
	lease, err := leaseBranch(ctx, leases, *t.Branch)
	if sluice.ErrorCode(err) == sluice.Conflict {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = cmp.Or(err, lease.Release()) }()
	now, err := dataset.TemporaryAt(ctx, t.Place)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return false, nil
	}
	if err != nil || !now.IsExpired(tools.Now()) {
		return false, err
	}
	return true, now.Remove(ctx, tools)
}

// BranchLease names the lease that keeps apart those who make, extend and delete one branch.
func BranchLease(b sluice.Branch) sluice.DeploymentID {
	return sluice.DeploymentID("branch-" + dataset.BranchKey(b.Account+"/"+b.Namespace))
}

func leaseBranch(ctx context.Context, leases sluice.Leases, b sluice.Branch) (sluice.Lease, error) {
	lease, err := leases.Lease(ctx, BranchLease(b))
	if sluice.ErrorCode(err) == sluice.Conflict {
		return nil, sluice.Errorf(sluice.Conflict, "another sluice makes or deletes the branch in %s/%s", b.Account,
			b.Namespace).WithHint("wait until it has ended")
	}
	return lease, err
}
