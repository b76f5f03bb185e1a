#include "proxy/health_state.h"

static enum endpoint_health judge(const struct proxy_health_thresholds *thresholds,
                                  const struct proxy_health_streak *streak,
                                  enum endpoint_health now, enum proxy_health_result result)
{
    bool passed = result == PROXY_HEALTH_PASSED;
    bool bearable = result == PROXY_HEALTH_FAULT && streak->failed < thresholds->unhealthy;
    switch (now) {
    case ENDPOINT_UNKNOWN:
        return passed ? ENDPOINT_HEALTHY : ENDPOINT_UNHEALTHY;
    case ENDPOINT_HEALTHY:
        return passed || bearable ? ENDPOINT_HEALTHY : ENDPOINT_UNHEALTHY;
    case ENDPOINT_UNHEALTHY:
        return streak->passed >= thresholds->healthy ? ENDPOINT_HEALTHY : ENDPOINT_UNHEALTHY;
    }
    return now;
}

enum endpoint_health proxy_health_next(const struct proxy_health_thresholds *thresholds,
                                       struct proxy_health_streak *streak, enum endpoint_health now,
                                       enum proxy_health_result result)
{
    if (now != streak->left) {
        streak->passed = 0;
    }
    streak->passed = result == PROXY_HEALTH_PASSED ? streak->passed + 1 : 0;
    streak->failed = result == PROXY_HEALTH_PASSED ? 0 : streak->failed + 1;
    streak->left = judge(thresholds, streak, now, result);
    return streak->left;
}
