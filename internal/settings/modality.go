package settings

import (
	"slices"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

var modalityNames = [zoo.Modalities]string{"text", "audio", "vision"}

// ModalityName returns the name of a modality in flags: text (for language), audio or vision.
func ModalityName(m zoo.Modality) string { return modalityNames[m] }

// ParseModalities returns the modalities with the names that [ModalityName] returns. It returns an
// error for any other name.
func ParseModalities(s []string) ([]zoo.Modality, error) {
	var list []zoo.Modality
	for _, name := range s {
		i := slices.Index(modalityNames[:], name)
		if i < 0 {
			return nil, Invalid("modality", "text, audio or vision", name)
		}
		list = append(list, zoo.Modality(i))
	}
	return list, nil
}
