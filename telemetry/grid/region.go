package grid

import (
	"cmp"
	"slices"

	"github.com/wattle-project/wattle"
)

// Region is a cloud region and the grid zone that feeds its data centres.
type Region struct {
	Cloud string // "aws", "azure" or "gcp"
	ID    wattle.RegionID
	Zone  wattle.ZoneID
}

// ZoneOf returns the zone, as Electricity Maps spells it, of a region of the
// cloud "aws", "azure" or "gcp". Providers publish cities or states, not
// substations: where a region could hang on one of several zones, it is the
// balancing area of the utility that serves the published site.
func ZoneOf(cloud string, region wattle.RegionID) (wattle.ZoneID, bool) {
	zone, ok := regionTables()[cloud][region]
	return zone, ok
}

// Regions lists the whole table by cloud and region.
func Regions() []Region {
	var out []Region
	for cloud, table := range regionTables() {
		for id, zone := range table {
			out = append(out, Region{cloud, id, zone})
		}
	}
	slices.SortFunc(out, func(a, b Region) int {
		return cmp.Or(cmp.Compare(a.Cloud, b.Cloud), cmp.Compare(a.ID, b.ID))
	})
	return out
}

type regionTable map[wattle.RegionID]wattle.ZoneID

func regionTables() map[string]regionTable {
	return map[string]regionTable{"aws": awsRegions(), "azure": azureRegions(), "gcp": gcpRegions()}
}

// awsRegions follows docs.aws.amazon.com/global-infrastructure (regions and places).
func awsRegions() regionTable {
	return regionTable{
		"us-east-1": "US-MIDA-PJM", "us-east-2": "US-MIDA-PJM", "us-west-1": "US-CAL-CISO", "us-west-2": "US-NW-PACW",
		"us-gov-east-1": "US-MIDA-PJM", "us-gov-west-1": "US-NW-PACW", "ca-central-1": "CA-QC", "ca-west-1": "CA-AB",
		"mx-central-1": "MX", "sa-east-1": "BR-CS", "eu-west-1": "IE", "eu-west-2": "GB", "eu-west-3": "FR",
		"eu-central-1": "DE", "eu-central-2": "CH", "eu-north-1": "SE-SE3", "eu-south-1": "IT-NO", "eu-south-2": "ES",
		"eusc-de-east-1": "DE", "me-south-1": "BH", "me-central-1": "AE", "il-central-1": "IL", "af-south-1": "ZA",
		"ap-east-1": "HK", "ap-east-2": "TW", "ap-northeast-1": "JP-TK", "ap-northeast-2": "KR", "ap-northeast-3": "JP-KN",
		"ap-south-1": "IN-WE", "ap-south-2": "IN-SO", "ap-southeast-1": "SG", "ap-southeast-2": "AU-NSW",
		"ap-southeast-3": "ID", "ap-southeast-4": "AU-VIC", "ap-southeast-5": "MY", "ap-southeast-6": "NZ",
		"ap-southeast-7": "TH", "cn-north-1": "CN", "cn-northwest-1": "CN",
	}
}

// azureRegions follows learn.microsoft.com/azure/reliability/regions-list.
func azureRegions() regionTable {
	return regionTable{
		"eastus": "US-MIDA-PJM", "eastus2": "US-MIDA-PJM", "centralus": "US-MIDW-MISO", "northcentralus": "US-MIDA-PJM",
		"southcentralus": "US-TEX-ERCO", "westcentralus": "US-NW-PACE", "westus": "US-CAL-CISO", "westus2": "US-NW-BPAT",
		"westus3": "US-SW-AZPS", "usgovvirginia": "US-MIDA-PJM", "usgovarizona": "US-SW-AZPS", "usgovtexas": "US-TEX-ERCO",
		"canadacentral": "CA-ON", "canadaeast": "CA-QC", "mexicocentral": "MX", "brazilsouth": "BR-CS",
		"brazilsoutheast": "BR-CS", "chilecentral": "CL-SEN", "northeurope": "IE", "westeurope": "NL", "uksouth": "GB",
		"ukwest": "GB", "francecentral": "FR", "francesouth": "FR", "germanywestcentral": "DE", "germanynorth": "DE",
		"switzerlandnorth": "CH", "switzerlandwest": "CH", "norwayeast": "NO-NO1", "norwaywest": "NO-NO2",
		"swedencentral": "SE-SE3", "swedensouth": "SE-SE4", "denmarkeast": "DK-DK2", "polandcentral": "PL",
		"italynorth": "IT-NO", "spaincentral": "ES", "austriaeast": "AT", "belgiumcentral": "BE", "greececentral": "GR",
		"finlandcentral": "FI", "uaenorth": "AE", "uaecentral": "AE", "qatarcentral": "QA", "israelcentral": "IL",
		"saudiarabiaeast": "SA", "southafricanorth": "ZA", "southafricawest": "ZA", "centralindia": "IN-WE",
		"westindia": "IN-WE", "southindia": "IN-SO", "jioindiawest": "IN-WE", "jioindiacentral": "IN-WE",
		"indiasouthcentral": "IN-SO", "eastasia": "HK", "southeastasia": "SG", "japaneast": "JP-TK", "japanwest": "JP-KN",
		"koreacentral": "KR", "koreasouth": "KR", "australiaeast": "AU-NSW", "australiasoutheast": "AU-VIC",
		"australiacentral": "AU-NSW", "australiacentral2": "AU-NSW", "newzealandnorth": "NZ", "indonesiacentral": "ID",
		"malaysiawest": "MY", "taiwannorth": "TW", "chinaeast": "CN", "chinaeast2": "CN", "chinanorth": "CN",
		"chinanorth2": "CN", "chinanorth3": "CN",
	}
}

// gcpRegions follows cloud.google.com/compute/docs/regions-zones.
func gcpRegions() regionTable {
	return regionTable{
		"us-central1": "US-MIDW-MISO", "us-east1": "US-CAR-SC", "us-east4": "US-MIDA-PJM", "us-east5": "US-MIDA-PJM",
		"us-south1": "US-TEX-ERCO", "us-west1": "US-NW-BPAT", "us-west2": "US-CAL-LDWP", "us-west3": "US-NW-PACE",
		"us-west4": "US-NW-NEVP", "northamerica-northeast1": "CA-QC", "northamerica-northeast2": "CA-ON",
		"northamerica-south1": "MX", "southamerica-east1": "BR-CS", "southamerica-west1": "CL-SEN",
		"europe-central2": "PL", "europe-north1": "FI", "europe-north2": "SE-SE3", "europe-southwest1": "ES",
		"europe-west1": "BE", "europe-west2": "GB", "europe-west3": "DE", "europe-west4": "NL", "europe-west6": "CH",
		"europe-west8": "IT-NO", "europe-west9": "FR", "europe-west10": "DE", "europe-west12": "IT-NO",
		"me-central1": "QA", "me-central2": "SA", "me-west1": "IL", "africa-south1": "ZA", "asia-east1": "TW",
		"asia-east2": "HK", "asia-northeast1": "JP-TK", "asia-northeast2": "JP-KN", "asia-northeast3": "KR",
		"asia-south1": "IN-WE", "asia-south2": "IN-NO", "asia-southeast1": "SG", "asia-southeast2": "ID",
		"australia-southeast1": "AU-NSW", "australia-southeast2": "AU-VIC",
	}
}
