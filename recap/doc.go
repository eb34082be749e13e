// Package recap implements RECAP: Recovering Coherent Affective Patterns (Huang, Gong, He, Wen,
// Zhang, Feng; AAAI 2026), a two-stage method for multimodal sentiment analysis when parts of
// language, audio and vision are missing. Start with [Model] in model.go, then read stage1.go and
// stage2.go.
//
//	 complete input ──► E_m ──► X_m  (the target, a constant)
//	                                        ▲        ▲
//	corrupted input ──► E_m ──► X̃_m ──► G_m ──► X'_m ──► MIR ──► ŷ
//	                             │    H-CAG   FID, E_rec
//	                             └─ D_m
//
// Stage 1 learns, without labels, to complete the missing features: the generators G_m must
// continue each temporal segment so that the discriminators D_m take it for the real next one
// (H-CAG), keep what modalities share and what each has alone (FID, by bounds of mutual
// information), and keep enough to reconstruct the complete features (E_rec). Stage 2 fuses the
// completed features with attention weights that are trained to rank the modalities by how well
// each predicts the label (MIR).
//
// The files follow the paper, and cite its equations:
//
//	embedding.go      E_m, and the Transformer with positions that all parts use
//	hcag.go           generator, discriminator, H-CAG                eqs 1–7
//	imagebind.go      MOSEI's generator, and imagebind_file.go its weights from a file
//	estimator.go      bounds of mutual information and their critics eqs 8–10
//	fid.go            factorised information decomposition           eqs 8–11
//	reconstructor.go  E_rec                                          eqs 12–13
//	stage1.go         the completion objective                       eq 14
//	fusion.go         mutual-information-guided ranking attention    eqs 15–17
//	stage2.go         the prediction objective                       eqs 18–19
//	features.go       features that plots of stage 1 show                 Figure 6
//	model.go          the model with all its modules
//	config.go         the settings, and the ablations of Table 3
//
// What the paper leaves open, and what was decided and why, is described in docs/guide.md.
package recap
