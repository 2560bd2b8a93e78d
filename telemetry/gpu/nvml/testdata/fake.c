// A library with NVIDIA's signatures and layouts (nvml.h is included, not
// copied) and scripted answers. Two boards: index 0 is an H100 in MIG mode with
// three instances (1g, 2g, 4g), index 1 a P100 without an energy counter.
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>
#include <stdio.h>
#include <string.h>

// The header of go-nvml wraps opaque pointers in a struct, which is passed alike.
#define HANDLE(d) ((long)(d).handle)
#define BOARD(d) (HANDLE(d) / 100)
#define PART(d) (HANDLE(d) % 100)
static unsigned long long reads, sampled;

// The driver is reloaded before the second count: from then on nothing answers
// until NVML is started anew.
static int ready, counts;

nvmlReturn_t nvmlInit_v2(void) { ready = 1; return NVML_SUCCESS; }
nvmlReturn_t nvmlShutdown(void) { return ready ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED; }

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *n) {
  if (++counts == 2) ready = 0;
  if (!ready) return NVML_ERROR_UNINITIALIZED;
  *n = 2;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int i, nvmlDevice_t *d) {
  d->handle = (struct nvmlDevice_st *)(long)((i + 1) * 100);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t d, char *s, unsigned int n) {
  if (n < NVML_DEVICE_UUID_V2_BUFFER_SIZE) return NVML_ERROR_INSUFFICIENT_SIZE;
  if (PART(d)) snprintf(s, n, "MIG-%ld", PART(d));
  else snprintf(s, n, "GPU-%ld", BOARD(d));
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t d, char *s, unsigned int n) {
  snprintf(s, n, BOARD(d) == 1 ? "NVIDIA H100 80GB HBM3" : "Tesla P100-PCIE-16GB");
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t d, unsigned int *mw) {
  *mw = BOARD(d) == 1 ? 700000 : 250000;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t d, unsigned long long *mj) {
  if (BOARD(d) != 1) return NVML_ERROR_NOT_SUPPORTED;
  *mj = 5000000000ULL + 1000 * reads++;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t d, unsigned int *mw) { *mw = 123456; return NVML_SUCCESS; }

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t d, nvmlUtilization_t *u) {
  if (BOARD(d) == 1) return NVML_ERROR_NOT_SUPPORTED;
  u->gpu = 80;
  u->memory = 20;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t d, nvmlMemory_t *m) {
  memset(m, 0, sizeof *m);
  m->used = 1ULL << 30;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t d, unsigned int *c, unsigned int *p) {
  if (BOARD(d) != 1) return NVML_ERROR_NOT_SUPPORTED;
  *c = *p = NVML_DEVICE_MIG_ENABLE;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t d, unsigned int *n) { *n = 7; return NVML_SUCCESS; }

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, unsigned int i, nvmlDevice_t *m) {
  if (i > 2) return NVML_ERROR_NOT_FOUND;
  m->handle = (struct nvmlDevice_st *)(HANDLE(d) + i + 1);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t d, unsigned int *id) { *id = PART(d) + 4; return NVML_SUCCESS; }

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t d, nvmlDeviceAttributes_t *a) {
  memset(a, 0, sizeof *a);
  a->gpuInstanceSliceCount = a->computeInstanceSliceCount = 1u << (PART(d) - 1); // 1, 2, 4
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t d, nvmlProcessUtilizationSample_t *s, unsigned int *n,
                                             unsigned long long since) {
  if (BOARD(d) == 1) return NVML_ERROR_NOT_SUPPORTED;
  if (!s || *n < 3) { *n = 3; return NVML_ERROR_INSUFFICIENT_SIZE; }
  unsigned int sm[3] = {30, 10, 30};
  for (int i = 0; i < 3; i++)
    s[i] = (nvmlProcessUtilizationSample_t){.pid = 41 + i % 2, .timeStamp = since + 10 + i, .smUtil = sm[i], .memUtil = 1};
  *n = 3;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t d, nvmlGpmSupport_t *s) {
  if (s->version != NVML_GPM_SUPPORT_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  s->isSupportedDevice = BOARD(d) == 1;
  return NVML_SUCCESS;
}

struct nvmlGpmSample_st { unsigned int gi; unsigned long long n; };
static struct nvmlGpmSample_st pool[64];
static int used;

nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *s) { s->handle = &pool[used++ % 64]; return NVML_SUCCESS; }
nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t s) { return NVML_SUCCESS; }

nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t d, unsigned int gi, nvmlGpmSample_t s) {
  s.handle->gi = gi;
  s.handle->n = sampled++;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *q) {
  if (q->version != NVML_GPM_METRICS_GET_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  if (q->sample1.handle->gi != q->sample2.handle->gi || q->sample1.handle->n >= q->sample2.handle->n) return NVML_ERROR_INVALID_ARGUMENT;
  for (unsigned int i = 0; i < q->numMetrics; i++) {
    q->metrics[i].nvmlReturn = NVML_SUCCESS;
    if (q->metrics[i].metricId == NVML_GPM_METRIC_GRAPHICS_UTIL) q->metrics[i].value = 10.0 * (q->sample1.handle->gi - 4);
    else if (q->metrics[i].metricId == NVML_GPM_METRIC_SM_UTIL) q->metrics[i].value = 5.0;
    else q->metrics[i].nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
  }
  return NVML_SUCCESS;
}
