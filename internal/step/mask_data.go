package step

import "github.com/sluice-cd/sluice"

// newMaskData refuses: a file that asks for masking must not run as if it were done.
func newMaskData(_ Deps, sc sluice.StepContext) (sluice.Step, error) {
	return nil, sluice.Errorf(sluice.Unsupported, "maskData of dataset %q cannot be carried out by this version", sc.Step.MaskData.Dataset).
		WithHint("remove the step; copies of the data then hold what production holds").At(sc.Step.Pos)
}
