/* What others may see of an assigner's channels. */
#include "time/assigner_internal.h"

bool assigner_view(const struct assigner *assigner, uint32_t index, int64_t now_ms, struct assigner_view *view)
{
    if (index >= assigner->channel_count)
        return false;
    const struct assigner_channel *channel = &assigner->channels[index];
    *view = (struct assigner_view){ .open = channel->open };
    if (!channel->open)
        return true;
    int64_t active = (assigner->paused ? assigner->clock_ms : now_ms) - assigner->paused_ms;
    view->name = slice_of(channel->split.name, channel->split.name_bytes);
    view->watermark = channel->split.sent;
    view->highest = channel->split.highest;
    view->silent_ms = active > channel->last_event ? (uint64_t)(active - channel->last_event) : 0;
    view->idle = channel->idle;
    view->holds = valve_holder(assigner->valve) == (int)index;
    return true;
}
