#include "proxy/health_state.h"

static enum endpoint_health judge(const struct health_thresholds *thresholds,
                                  const struct health_streak *streak, enum endpoint_health now,
                                  enum health_result result)
{
    bool passed = result == HEALTH_PASSED;
    bool bearable = result == HEALTH_FAULT && streak->failed < thresholds->unhealthy;
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

enum endpoint_health health_next(const struct health_thresholds *thresholds,
                                 struct health_streak *streak, enum endpoint_health now,
                                 enum health_result result)
{
    if (now != streak->left) {
        streak->passed = 0;
    }
    streak->passed = result == HEALTH_PASSED ? streak->passed + 1 : 0;
    streak->failed = result == HEALTH_PASSED ? 0 : streak->failed + 1;
    streak->left = judge(thresholds, streak, now, result);
    return streak->left;
}
