"""What is made of samples: medians, ratios within a round, and where drivers disagree."""
import statistics
from dataclasses import fields

from measure import Sample

DISAGREEMENT = 1.10  # of what two drivers say of the same


def median_sample(samples):
    values = {}
    for field in fields(Sample):
        known = [value for value in (getattr(sample, field.name) for sample in samples) if value is not None]
        is_text = known and isinstance(known[0], str)
        values[field.name] = known[-1] if is_text else statistics.median(known) if known else None
    return Sample(**values)


def median_ratio(samples, to):
    """Of the ratios of each round, not the ratio of medians: machines drift, and one round sees one state of them.
    None when there is nothing to divide by."""
    if not samples or not to or len(samples) != len(to) or min(other.cost for other in to) <= 0:
        return None
    return statistics.median(sample.cost / other.cost for sample, other in zip(samples, to))


def to_best(results, driver, shape, own):
    """(its figure to that of the peer that does best, the peer), or None where one of both is missing."""
    ratios = [(median_ratio(results.of(driver, own, shape), results.of(driver, peer, shape)), peer)
              for peer in results.peers]
    ratios = [(ratio, peer) for ratio, peer in ratios if ratio is not None]
    return max(ratios, key=lambda each: each[0]) if ratios else None


def apart(one, other):
    return max(one, other) > DISAGREEMENT * min(one, other)


def disagreements(results):
    """One line for each peer whose ratio to ours, and for ours whose figure, is another by another driver in the rounds
    in which both took part."""
    lines = []
    for driver in results.drivers[1:]:
        for shape in results.shapes:
            for contender in results.contenders:
                rounds = len(results.of(driver, contender, shape) or [])
                both = [figure(results, each, contender, shape, rounds) for each in (results.drivers[0], driver)]
                if None not in both and min(both) > 0 and apart(*both):
                    of = {True: "kB" if shape.idle else "us"}.get(contender is results.own, "times grpcroute's")
                    lines.append(f"{shape.name}, {contender.title}: {both[0]:.2f} {of} by {results.drivers[0].name}, "
                                 f"{both[1]:.2f} by {driver.name}")
    return lines


def figure(results, driver, contender, shape, rounds):
    """Of the first rounds; None where there is none, or none of the load that was asked for."""
    samples, ours = ((results.of(driver, each, shape) or [])[:rounds] for each in (contender, results.own))
    if not samples or any(sample.unkept for sample in samples + ours):
        return None
    return median_sample(samples).cost if contender is results.own else median_ratio(samples, ours)
