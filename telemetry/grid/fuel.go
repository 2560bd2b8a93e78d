package grid

// fuel is one ENTSO-E production type (code list PsrTypeList, B01…B25).
type fuel struct {
	name string
	// factor is the life-cycle emission factor in gCO2eq/kWh; 0 means that the
	// output is stored energy, counted where it was generated.
	factor float64
}

// fuels returns the production types with median life-cycle factors of IPCC
// AR5 WG III (2014), Annex III, Table A.III.2. AR5 has no row for oil, for
// lignite, peat and oil shale apart from coal, nor for waste: oil takes 650
// (UK POST Note 383, 2011), solid fuels take coal, waste and "other" take 700,
// a fossil thermal mean. Coal spans 740–910 and gas 410–650 in the same table.
func fuels() map[string]fuel {
	const coal, gas, oil, thermal = 820, 490, 650, 700
	return map[string]fuel{
		"B01": {"biomass", 230}, "B02": {"lignite", coal}, "B03": {"coal gas", coal}, "B04": {"gas", gas},
		"B05": {"hard coal", coal}, "B06": {"oil", oil}, "B07": {"oil shale", coal}, "B08": {"peat", coal},
		"B09": {"geothermal", 38}, "B10": {"pumped storage", 0}, "B11": {"run of river", 24}, "B12": {"reservoir", 24},
		"B13": {"marine", 17}, "B14": {"nuclear", 12}, "B15": {"other renewable", 38}, "B16": {"solar", 48},
		"B17": {"waste", thermal}, "B18": {"wind offshore", 12}, "B19": {"wind onshore", 11}, "B20": {"other", thermal},
		"B25": {"storage", 0},
	}
}

// entsoeAreas maps zones to energy identification codes (EIC) of the area for
// which generation is published (ENTSO-E area list).
func entsoeAreas() map[string]string {
	return map[string]string{
		"AT": "10YAT-APG------L", "BE": "10YBE----------2", "BG": "10YCA-BULGARIA-R", "CH": "10YCH-SWISSGRIDZ",
		"CZ": "10YCZ-CEPS-----N", "DE": "10Y1001A1001A83F", "DK-DK1": "10YDK-1--------W", "DK-DK2": "10YDK-2--------M",
		"EE": "10Y1001A1001A39I", "ES": "10YES-REE------0", "FI": "10YFI-1--------U", "FR": "10YFR-RTE------C",
		"GR": "10YGR-HTSO-----Y", "HR": "10YHR-HEP------M", "HU": "10YHU-MAVIR----U", "IE": "10Y1001A1001A59C",
		"IT-NO": "10Y1001A1001A73I", "LT": "10YLT-1001A0008Q", "LV": "10YLV-1001A00074", "NL": "10YNL----------L",
		"NO-NO1": "10YNO-1--------2", "NO-NO2": "10YNO-2--------T", "NO-NO3": "10YNO-3--------J", "NO-NO4": "10YNO-4--------9",
		"NO-NO5": "10Y1001A1001A48H", "PL": "10YPL-AREA-----S", "PT": "10YPT-REN------W", "RO": "10YRO-TEL------P",
		"RS": "10YCS-SERBIATSOV", "SE-SE1": "10Y1001A1001A44P", "SE-SE2": "10Y1001A1001A45N", "SE-SE3": "10Y1001A1001A46L",
		"SE-SE4": "10Y1001A1001A47J", "SI": "10YSI-ELES-----O", "SK": "10YSK-SEPS-----K",
	}
}
