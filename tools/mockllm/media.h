/* OpenAI's images and sound, simulated. */
#ifndef TOOLS_MOCKLLM_MEDIA_H
#define TOOLS_MOCKLLM_MEDIA_H

#include "tools/mockllm/mock.h"

extern const struct mock_format mock_images, mock_speech, mock_transcriptions;

#endif
