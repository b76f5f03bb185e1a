/* The rules in force as people read them: for /config_dump and the dashboard. */
#ifndef GRPCROUTE_ADMIN_RULES_H
#define GRPCROUTE_ADMIN_RULES_H

struct cJSON;
struct routing;

/* Adds an object for each rule to `array`, in the order of the file: route, rule, hostnames,
 * matches in words, backends with cluster and weight, streams taken since the rules are in
 * force. */
void admin_rules_json(const struct routing *routing, struct cJSON *array);

#endif
