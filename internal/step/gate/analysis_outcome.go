package gate

import (
	"fmt"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// keep puts the record and the evidence into the progress.
func (s *analyse) keep(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	raw, err := record.Write(r)
	if err != nil {
		return p, err
	}
	p.Data, p.Result = raw, &sluice.Result{Judgment: &j}
	return p, nil
}

// wait waits for the next instant. While something is unknown a person may end that.
func (s *analyse) wait(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	p.State = sluice.Waiting
	p.Wait = &sluice.Wait{Until: r.Started.Add(s.instant(r.Taken + 1))}
	p.Message = fmt.Sprintf("%d of %s taken", min(r.Taken, max(s.spec.Runs, 1)), s.plural())
	if unknown(j) {
		p.Wait.Signals = []string{sluice.SignalRollForward, sluice.SignalReject}
		p.Message = "nothing can be said, the traffic stays as it is: " + j.Reason
	}
	return s.keep(p, r, j)
}

// unknown reports whether the latest answer of any query said nothing.
func unknown(j sluice.Judgment) bool {
	latest := map[string]sluice.Verdict{}
	for _, s := range j.Samples {
		latest[s.Query] = s.Verdict
	}
	for _, v := range latest {
		if v == sluice.Unknown || v == sluice.Late {
			return true
		}
	}
	return false
}

func (s *analyse) conclude(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	switch {
	case j.Verdict == sluice.Good && s.spec.RollForwardMode == "manual":
		return s.ask(p, r, j, "good, and a person rolls forward")
	case j.Verdict == sluice.Good:
		return s.done(p, r, j)
	case s.spec.RollBackMode == "manual":
		return s.ask(p, r, j, "bad, and a person decides")
	}
	return s.fail(p, r, j, "the analysis is bad")
}

// spent follows onUnknown once the budget for unknown samples is gone.
func (s *analyse) spent(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	switch s.spec.OnUnknown {
	case "rollBack":
		return s.fail(p, r, j, "nothing could be said in time")
	case "rollForward":
		return s.done(p, r, j)
	}
	return s.ask(p, r, j, "unknown for too long, and a person decides")
}

// ask hands the decision to a person, without a deadline: nothing has been decided that could expire.
func (s *analyse) ask(p sluice.Progress, r analysisRecord, j sluice.Judgment, what string) (sluice.Progress, error) {
	r.Asking = true
	p.State, p.Message = sluice.Waiting, what+": "+j.Reason
	p.Wait = &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalRollForward, sluice.SignalReject}}
	return s.keep(p, r, j)
}

func (s *analyse) done(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	p.State, p.Wait, p.Message = sluice.Done, nil, j.Reason
	return s.keep(p, r, j)
}

func (s *analyse) fail(p sluice.Progress, r analysisRecord, j sluice.Judgment, what string) (sluice.Progress, error) {
	p, err := s.keep(p, r, j)
	if err != nil {
		return p, err
	}
	return p, sluice.Errorf(sluice.Failed, "%s: %s", what, j.Reason).
		WithHint("the samples are in the step's result; every one is a query over a known time, which can be asked again")
}

func (s *analyse) plural() string {
	if max(s.spec.Runs, 1) == 1 {
		return "1 sample"
	}
	return fmt.Sprintf("%d samples", s.spec.Runs)
}
