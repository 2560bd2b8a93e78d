package grid

import (
	"strings"

	"github.com/wattle-project/wattle"
)

// Figure is a yearly mean with its source, the last step before a prior.
type Figure struct {
	Intensity wattle.GramsPerKWh
	// Source is the provider label of signals made from it, for example
	// "static:ember-2023" or, for a zone inside a country, "static:ember-2023:US".
	Source string
}

// emberYearly holds country means in life-cycle gCO2e/kWh, rounded to 10 (to 5
// below 100): Ember, Yearly Electricity Data, 2024 edition (2023, or 2022 where
// 2023 was not out), CC BY 4.0, https://ember-energy.org, as republished by the
// Green Web Foundation in CO2.js.
func emberYearly() map[wattle.ZoneID]wattle.GramsPerKWh {
	return map[wattle.ZoneID]wattle.GramsPerKWh{
		"AE": 560, "AR": 390, "AT": 110, "AU": 570, "BA": 600, "BD": 680, "BE": 140, "BG": 340, "BH": 900, "BR": 110,
		"CA": 160, "CH": 35, "CL": 350, "CN": 590, "CO": 210, "CR": 25, "CY": 530, "CZ": 450, "DE": 380, "DK": 150,
		"EE": 420, "EG": 570, "ES": 170, "FI": 80, "FR": 55, "GB": 240, "GR": 340, "HK": 700, "HR": 200, "HU": 200,
		"ID": 680, "IE": 290, "IL": 580, "IN": 710, "IS": 30, "IT": 330, "JO": 540, "JP": 510, "KE": 85, "KR": 440,
		"KW": 650, "KZ": 830, "LT": 160, "LU": 110, "LV": 120, "MA": 660, "MX": 480, "MY": 610, "NG": 520, "NL": 270,
		"NO": 30, "NZ": 110, "OM": 560, "PE": 250, "PH": 600, "PK": 460, "PL": 660, "PT": 170, "QA": 600, "RO": 240,
		"RS": 640, "SA": 710, "SE": 40, "SG": 470, "SI": 230, "SK": 120, "TH": 560, "TR": 460, "TW": 640, "UA": 260,
		"US": 390, "UY": 110, "VN": 410, "ZA": 730,
	}
}

// googleLifecycle holds life-cycle means of 2020 for zones below a country,
// rounded likewise: Google, "Carbon free energy for Google Cloud regions",
// https://github.com/GoogleCloudPlatform/region-carbon-info, Apache-2.0.
func googleLifecycle() map[wattle.ZoneID]wattle.GramsPerKWh {
	return map[wattle.ZoneID]wattle.GramsPerKWh{
		"AU-NSW": 730, "AU-VIC": 690, "CA-QC": 25, "IN-NO": 660, "IN-WE": 720, "JP-KN": 440, "JP-TK": 550,
		"US-CAL-LDWP": 250, "US-CAR-SC": 480, "US-MIDA-PJM": 360, "US-MIDW-MISO": 450, "US-NW-BPAT": 80, "US-NW-NEVP": 460,
		"US-NW-PACE": 530,
	}
}

// googleDirect holds operational (direct) means of 2024 from the same list,
// which counts direct emissions only since its 2021 edition.
func googleDirect() map[wattle.ZoneID]wattle.GramsPerKWh {
	return map[wattle.ZoneID]wattle.GramsPerKWh{
		"AU-NSW": 500, "AU-VIC": 450, "BE": 100, "BR-CS": 65, "CA-ON": 60, "CA-QC": 5, "CH": 15, "CL-SEN": 240, "DE": 280,
		"ES": 90, "FI": 40, "FR": 15, "GB": 110, "HK": 510, "ID": 560, "IL": 430, "IN-NO": 530, "IN-WE": 680, "IT-NO": 200,
		"JP-KN": 300, "JP-TK": 450, "KR": 360, "MX": 310, "NL": 210, "PL": 640, "QA": 370, "SA": 380, "SE-SE3": 3,
		"SG": 370, "TW": 440, "US-CAL-LDWP": 170, "US-CAR-SC": 580, "US-CENT-SWPP": 370, "US-MIDA-PJM": 320,
		"US-MIDW-MISO": 410, "US-NW-BPAT": 80, "US-NW-NEVP": 360, "US-NW-PACE": 560, "US-SE-SOCO": 340, "US-TEX-ERCO": 300,
		"ZA": 660,
	}
}

// Yearly returns the built-in yearly figure of key. There is none for marginal
// intensities: an average never stands in for one. Life-cycle figures of a zone
// that is not listed itself fall back to its country, which Source shows.
func Yearly(key Key) (Figure, bool) {
	if key.Kind != wattle.Average {
		return Figure{}, false
	}
	if key.Scope == wattle.Direct {
		v, ok := googleDirect()[key.Zone]
		return Figure{v, "static:google-2024"}, ok
	}
	if v, ok := googleLifecycle()[key.Zone]; ok {
		return Figure{v, "static:google-2020"}, true
	}
	ember := emberYearly()
	if v, ok := ember[key.Zone]; ok {
		return Figure{v, "static:ember-2023"}, true
	}
	country, _, _ := strings.Cut(string(key.Zone), "-")
	v, ok := ember[wattle.ZoneID(country)]
	return Figure{v, "static:ember-2023:" + country}, ok
}

// yearlyOf is Yearly with the operator's own life-cycle averages first.
func yearlyOf(key Key, own map[wattle.ZoneID]wattle.GramsPerKWh) Figure {
	if v, ok := own[key.Zone]; ok && key.Kind == wattle.Average && key.Scope == wattle.Lifecycle {
		return Figure{v, "static:config"}
	}
	f, _ := Yearly(key)
	return f
}
