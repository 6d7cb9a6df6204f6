package frost

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) (err error) {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*h, err = hex.DecodeString(s)
	return err
}

// vector is the form of the vectors of RFC 9591, appendix E.2, in the repository of the draft (cfrg/draft-irtf-cfrg-frost,
// poc/frost-ed448-shake256.json).
type vector struct {
	Config struct {
		MaxParticipants string `json:"MAX_PARTICIPANTS"`
		NumParticipants string `json:"NUM_PARTICIPANTS"`
		MinParticipants string `json:"MIN_PARTICIPANTS"`
		Name            string `json:"name"`
		Group           string `json:"group"`
		Hash            string `json:"hash"`
	} `json:"config"`
	Inputs struct {
		ParticipantList []threshold.Index `json:"participant_list"`
		GroupSecretKey  hexBytes          `json:"group_secret_key"`
		GroupPublicKey  hexBytes          `json:"group_public_key"`
		Message         hexBytes          `json:"message"`
		Coefficients    []hexBytes        `json:"share_polynomial_coefficients"`
		Shares          []struct {
			Identifier threshold.Index `json:"identifier"`
			Share      hexBytes        `json:"participant_share"`
		} `json:"participant_shares"`
	} `json:"inputs"`
	RoundOne struct {
		Outputs []struct {
			Identifier         threshold.Index `json:"identifier"`
			HidingRandomness   hexBytes        `json:"hiding_nonce_randomness"`
			BindingRandomness  hexBytes        `json:"binding_nonce_randomness"`
			HidingNonce        hexBytes        `json:"hiding_nonce"`
			BindingNonce       hexBytes        `json:"binding_nonce"`
			HidingCommitment   hexBytes        `json:"hiding_nonce_commitment"`
			BindingCommitment  hexBytes        `json:"binding_nonce_commitment"`
			BindingFactorInput hexBytes        `json:"binding_factor_input"`
			BindingFactor      hexBytes        `json:"binding_factor"`
		} `json:"outputs"`
	} `json:"round_one_outputs"`
	RoundTwo struct {
		Outputs []struct {
			Identifier threshold.Index `json:"identifier"`
			Share      hexBytes        `json:"sig_share"`
		} `json:"outputs"`
	} `json:"round_two_outputs"`
	Final struct {
		Sig hexBytes `json:"sig"`
	} `json:"final_output"`
}

func scalarOf(t *testing.T, b []byte) ed448.Scalar {
	require.Len(t, b, scalarSize)
	require.Zero(t, b[ed448.ScalarSize])
	s, err := ed448.ParseScalar(b[:ed448.ScalarSize])
	require.NoError(t, err)
	return s
}

func TestRFC9591Vectors(t *testing.T) {
	file, err := os.ReadFile("testdata/frost-ed448-shake256.json")
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	var v vector
	require.NoError(t, d.Decode(&v))
	require.Equal(t, "FROST(Ed448, SHAKE256)", v.Config.Name)

	coefficients := []ed448.Scalar{scalarOf(t, v.Inputs.GroupSecretKey)}
	for _, c := range v.Inputs.Coefficients {
		coefficients = append(coefficients, scalarOf(t, c))
	}
	p := poly.Of(coefficients)
	key, err := threshold.NewKey(threshold.Terms{Holders: []threshold.Index{1, 2, 3}}, p.Commitments())
	require.NoError(t, err)
	require.EqualValues(t, v.Inputs.GroupPublicKey, key.Public())
	shares := map[threshold.Index]threshold.Share{}
	for _, s := range v.Inputs.Shares {
		require.EqualValues(t, s.Share, scalarBytes(p.At(uint8(s.Identifier))))
		shares[s.Identifier], err = threshold.NewShare(key, s.Identifier, scalarOf(t, s.Share))
		require.NoError(t, err)
	}
	require.Len(t, shares, 3)

	var nonces []*Nonce
	var commitments []Commitment
	for i, o := range v.RoundOne.Outputs {
		require.Equal(t, v.Inputs.ParticipantList[i], o.Identifier)
		n, c := commit(shares[o.Identifier], secret.New(o.HidingRandomness), secret.New(o.BindingRandomness))
		pair := n.secrets.Load().Expose()
		require.EqualValues(t, o.HidingNonce, scalarBytes(pair.hiding))
		require.EqualValues(t, o.BindingNonce, scalarBytes(pair.binding))
		require.EqualValues(t, o.HidingCommitment, c.hiding.Bytes())
		require.EqualValues(t, o.BindingCommitment, c.binding.Bytes())
		nonces, commitments = append(nonces, n), append(commitments, c)
	}
	pkg, err := NewPackage(key, v.Inputs.Message, commitments)
	require.NoError(t, err)
	for i, o := range v.RoundOne.Outputs {
		require.EqualValues(t, o.BindingFactor, scalarBytes(h1(o.BindingFactorInput)))
		require.EqualValues(t, o.BindingFactor, scalarBytes(pkg.factors[i]))
	}
	var parts []SignatureShare
	for i, o := range v.RoundTwo.Outputs {
		z, err := nonces[i].Sign(pkg)
		require.NoError(t, err)
		require.Equal(t, o.Identifier, z.Index())
		require.EqualValues(t, o.Share, scalarBytes(z.z))
		parts = append(parts, z)
	}
	sig, err := pkg.Aggregate(parts)
	require.NoError(t, err)
	require.EqualValues(t, v.Final.Sig, sig)
	require.True(t, key.Verify(v.Inputs.Message, sig))
}
